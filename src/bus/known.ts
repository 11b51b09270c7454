import type { Downward, Upward } from './messages.ts';

/** Any message: what it is for is its type. */
export interface Typed {
  readonly type: string;
}

type Fields = Readonly<Record<string, 'string' | 'number' | 'boolean' | 'object' | 'list'>>;

/** Fields that a message cannot do without. Others may be there or not, so that versions may mix. */
const UPWARD: Readonly<Record<Upward['type'], Fields>> = {
  hello: { dataPlane: 'string' },
  wake: { revision: 'string', queued: 'number' },
  released: { instance: 'string', slots: 'number', sequence: 'number' },
  demand: { revisions: 'list' },
  load: { at: 'number', revisions: 'list' },
  drained: { instance: 'string' },
  closed: { instance: 'string' },
  reached: { instance: 'string' },
  suspect: { instance: 'string', reason: 'string' },
  metrics: { id: 'number', text: 'string' },
  ask: { id: 'number', revision: 'string', request: 'string' },
  told: { id: 'number', waits: 'object' },
  submit: { id: 'number', submission: 'object' },
  inquire: { id: 'number', inquiry: 'object' },
  dismiss: { id: 'number' },
};

const DOWNWARD: Readonly<Record<Downward['type'], Fields>> = {
  snapshot: { epoch: 'string', version: 'number', models: 'list', instances: 'list' },
  delta: { epoch: 'string', version: 'number' },
  lease: { epoch: 'string', version: 'number', leases: 'list' },
  scrape: { id: 'number' },
  ask: { id: 'number', revision: 'string', request: 'string' },
  answers: { id: 'number', told: 'list', complete: 'boolean' },
  reply: { id: 'number', reply: 'object' },
};

/** False for a type that this version does not know, and for a message that lacks what it needs. */
export function isUpward(message: Typed): message is Upward {
  return fits(message, UPWARD);
}

export function isDownward(message: Typed): message is Downward {
  return fits(message, DOWNWARD);
}

function fits(message: Typed, known: Readonly<Record<string, Fields>>): boolean {
  const fields = Object.hasOwn(known, message.type) ? known[message.type] : undefined;
  if (fields === undefined) return false;
  return Object.entries(fields).every(([key, type]) => {
    const value: unknown = Reflect.get(message, key);
    if (type === 'list') return Array.isArray(value);
    return typeof value === type && value !== null;
  });
}
