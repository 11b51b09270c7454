import { Fault } from '#lib/fault.ts';
import type { KubeObject } from './objects.ts';
import { type Resource, describePlace } from './resources.ts';

/** A line of a watch. `ERROR` has a `Status` for an object. */
export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | {
      readonly type: 'ERROR';
      readonly object: { readonly code?: number; readonly message?: string };
    };

const TYPES = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);
/** Twice what etcd takes for an object. */
const LONGEST_LINE = 4 * 2 ** 20;
const NEWLINE = 10;

/**
 * The events of a watch as they arrive, cut as they may be. What comes after the last newline when the stream ends
 * was not whole, and is dropped: the next watch tells it again. Throws Fault `bad_upstream` for what is no event.
 */
export async function* readEvents<T extends KubeObject>(
  resource: Resource<T>,
  body: AsyncIterable<Buffer>,
): AsyncGenerator<WatchEvent<T>> {
  let pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      pieces.push(chunk.subarray(start, end));
      const line = Buffer.concat(pieces).toString();
      pieces = [];
      size = 0;
      start = end + 1;
      if (line.trim() !== '') yield parseEvent(resource, line);
    }
    pieces.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > LONGEST_LINE) {
      const what = describePlace(resource, {});
      throw new Fault(
        'bad_upstream',
        `${what}: a line of the watch is longer than ${LONGEST_LINE} bytes`,
      );
    }
  }
}

function parseEvent<T extends KubeObject>(resource: Resource<T>, line: string): WatchEvent<T> {
  const event = parseJson(line);
  if (isEvent(resource, event)) return event;
  const what = describePlace(resource, {});
  throw new Fault(
    'bad_upstream',
    `${what}: a line of the watch is no event: ${line.slice(0, 100)}`,
  );
}

/** The API server knows its kinds: what it says is one is not looked at further. */
function isEvent<T extends KubeObject>(_: Resource<T>, event: unknown): event is WatchEvent<T> {
  if (typeof event !== 'object' || event === null) return false;
  if (!('type' in event) || !('object' in event)) return false;
  const { type, object } = event;
  if (typeof object !== 'object' || object === null) return false;
  return type === 'ERROR' || (typeof type === 'string' && TYPES.has(type) && 'metadata' in object);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
