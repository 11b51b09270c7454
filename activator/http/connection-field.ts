import { type CutTable, makeCutTable, parseTokens } from './fields.ts';

/** What the Connection fields of one message say. */
export interface ConnectionField {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** The fields that end at this hop. */
  readonly named: CutTable;
}

/** Named by a Connection field or not, these frame or route the message and are never cut for it. */
const NEVER_NAMED = new Set(['content-length', 'transfer-encoding', 'host', 'close', 'keep-alive']);

const ABSENT = read('');
const KEEP_ALIVE = read('keep-alive');
const CLOSE = read('close');

/** `value`: of all Connection fields, joined by commas. */
export function parseConnection(value: string): ConnectionField {
  // These are what nearly all messages say.
  if (value === '') return ABSENT;
  if (value === 'keep-alive' || value === 'Keep-Alive') return KEEP_ALIVE;
  return value === 'close' ? CLOSE : read(value);
}

function read(value: string): ConnectionField {
  const tokens = parseTokens(value);
  return {
    close: tokens.includes('close'),
    keepAlive: tokens.includes('keep-alive'),
    upgrade: tokens.includes('upgrade'),
    named: makeCutTable(tokens.filter((token) => !NEVER_NAMED.has(token))),
  };
}
