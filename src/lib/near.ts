/** More guesses than this are no help. */
const MOST = 3;
/** Names are short; what is longer is none, and comparing takes the product of both lengths. */
const LONGEST = 64;

/** Those that somebody may have meant, the nearest first. */
export function nearNames(wanted: string, names: readonly string[]): string[] {
  if (wanted.length > LONGEST) return [];
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  const rated = names.map((name) => ({ name, edits: ratingOf(wanted, name) }));
  return rated
    .filter(({ edits }) => edits <= allowed)
    .toSorted((a, b) => a.edits - b.edits || (a.name < b.name ? -1 : 1))
    .slice(0, MOST)
    .map(({ name }) => name);
}

function ratingOf(wanted: string, name: string): number {
  const [short, long] = wanted.length < name.length ? [wanted, name] : [name, wanted];
  return short.length > 2 && long.startsWith(short) ? 1 : editsBetween(wanted, name);
}

/** Letters to add, drop or change to make one of the other. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
