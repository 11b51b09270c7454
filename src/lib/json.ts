/** What a text that is not ours says as JSON; undefined, which no JSON says, where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
