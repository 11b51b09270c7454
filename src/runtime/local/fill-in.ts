/** An argument with `${NAME}` replaced where `words` has the name. What else looks so may be meant for a shell. */
export function fillIn(arg: string, words: Readonly<Record<string, string>>): string {
  return arg.replace(/\$\{([A-Z_]+)\}/g, (whole, name: string) => words[name] ?? whole);
}
