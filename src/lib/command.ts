/** How messages begin a command: this works in a clone of the project, where no `rouse` is in PATH. */
export const ROUSE = 'npx rouse';

/** Text as one word of a POSIX shell. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
