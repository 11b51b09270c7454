/**
 * A text with what stands between `<!-- name -->` and `<!-- /name -->` replaced. Throws when the markers are
 * not there, once each, in this order.
 */
export function replaceBetween(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const parts = text.split(open);
  const [before, after] = parts;
  const ends = after?.split(close);
  if (parts.length !== 2 || before === undefined || ends?.length !== 2) {
    throw new Error(`expected ${open} and then ${close}, once each`);
  }
  return `${before}${open}\n\n${content}\n\n${close}${ends[1] ?? ''}`;
}
