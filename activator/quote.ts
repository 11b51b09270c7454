/** What came from a caller, as a refusal names it: shortened, and quoted so that nobody is fooled by it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 130 ? `${text.slice(0, 130)}…` : text);
}
