/** A URL fit for a screen: a mirror's address may hold a password, and that an `@`. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/?#]*@/, '//');
}
