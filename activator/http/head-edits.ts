import { Fault } from '#lib/fault.ts';
import { TOKEN, VALUE } from './characters.ts';
import { type CutTable, makeCutTable } from './fields.ts';
import { WRITTEN_HERE } from './request-head.ts';

/** What the way to an instance changes in the head of a request. Made once for all requests that go this way. */
export interface HeadEdits {
  /** Fields of the caller that end here: those that are set, and those that are removed. */
  readonly cut: CutTable;
  /** Field lines of our own. */
  readonly lines: string;
  /** In the place of the caller's. */
  readonly host: string | undefined;
}

/**
 * @param set names and values; they replace what the caller sent. Latin-1.
 * @param remove names.
 * Throws Fault `invalid` for what is no field, and for fields that every request gets from this hop.
 */
export function makeHeadEdits({
  set = {},
  remove = [],
  host,
}: {
  set?: Readonly<Record<string, string>>;
  remove?: readonly string[];
  host?: string | undefined;
}): HeadEdits {
  const fields = Object.entries(set);
  const names = [...fields.map(([name]) => name), ...remove].map((name) => name.toLowerCase());
  for (const name of names) checkName(name);
  for (const [name, value] of fields) checkValue(name, value);
  if (host !== undefined) checkValue('host', host);
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return { cut: makeCutTable([...new Set(names)]), lines, host };
}

function checkName(name: string): void {
  if (name === '' || !isMadeOf(name, TOKEN)) {
    throw new Fault('invalid', `${JSON.stringify(name)} is no name of a header`);
  }
  if (WRITTEN_HERE.includes(name)) {
    throw new Fault('invalid', `Header ${name} is written anew at each hop: it cannot be set`);
  }
}

function checkValue(name: string, value: string): void {
  if (isMadeOf(value, VALUE) && value.trim() === value) return;
  throw new Fault('invalid', `Header ${name} cannot have the value ${JSON.stringify(value)}`);
}

function isMadeOf(text: string, table: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) if (table[text.charCodeAt(i)] !== 1) return false;
  return true;
}
