/** A cautious guess: code and English run at about four characters a token, other scripts at about one. */
const charactersAToken = 3.5;

/** About how many tokens a model will count for these messages or tools; rather too many than too few. */
export function estimateTokens(parts: readonly unknown[]): number {
  return parts.reduce<number>((sum, part) => sum + tokensOf(part), 0);
}

function tokensOf(part: unknown): number {
  const text = JSON.stringify(part);
  let others = 0;
  for (let place = 0; place < text.length; place += 1) if (text.charCodeAt(place) > 127) others += 1;
  return Math.ceil((text.length - others) / charactersAToken) + others;
}
