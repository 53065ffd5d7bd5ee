/**
 * What a model wrote for others: its text without the thinking that some models put in front, whole, without its opening
 * tag, or cut off before its end.
 */
export function spoken(text: string): string {
  return text
    .replaceAll(/<think>[\s\S]*?<\/think>/g, '')
    .replace(/^[\s\S]*<\/think>/, '')
    .replace(/<think>[\s\S]*$/, '')
    .trim();
}

/** The JSON objects in a text, fenced, bare or amid prose, the likeliest result first. */
export function objectsIn(text: string): Record<string, unknown>[] {
  // A result comes last; what is fenced before it is mostly code that is quoted.
  const fenced = [...text.matchAll(/```[\w-]*\s*([\s\S]*?)```/g)].map((match) => match[1]!).toReversed();
  return [...fenced, text].map(objectIn).filter((one) => one !== undefined);
}

/** The summary that a text is: its `summary` where it holds a result as JSON, else the text itself. */
export function summaryIn(text: string): string {
  const said = spoken(text);
  const summary = objectsIn(said).find((one) => typeof one['summary'] === 'string')?.['summary'];
  return typeof summary === 'string' ? summary : said;
}

/** The outermost object of a text; a brace in the prose before it is passed over where it begins a line of its own. */
function objectIn(text: string): Record<string, unknown> | undefined {
  const to = text.lastIndexOf('}') + 1;
  const starts = [text.indexOf('{'), ...[...text.matchAll(/^[ \t]*\{/gm)].map((match) => match.index)];
  for (const from of new Set(starts)) {
    if (from < 0 || to <= from) continue;
    try {
      const value: unknown = JSON.parse(text.slice(from, to));
      if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
    } catch {
      // Not from here on.
    }
  }
  return undefined;
}
