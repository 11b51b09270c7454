import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIdle, lend, letGo, takeLarge } from '#activator/sockets/large-buffers.ts';

/** What one reader and the writes that it started hold. */
interface SocketReader {
  buffer: Buffer | undefined;
  readonly writes: { buffer: Buffer; done: () => void }[];
}

test('a buffer is read into only while no write has bytes of it and no other reader has it', () => {
  const step = fc.record({
    reader: fc.nat({ max: 4 }),
    act: fc.constantFrom('read', 'write', 'done', 'leave'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const readers: SocketReader[] = Array.from({ length: 5 }, () => ({
        buffer: undefined,
        writes: [],
      }));
      for (const { reader: at, act } of steps) {
        const reader = readers[at]!;
        if (act === 'read') read(reader, readers);
        else if (act === 'write' && reader.buffer) {
          const done = lend(reader.buffer);
          if (done) reader.writes.push({ buffer: reader.buffer, done });
        } else if (act === 'done') reader.writes.shift()?.done();
        else if (act === 'leave' && reader.buffer) {
          letGo(reader.buffer);
          reader.buffer = undefined;
        }
      }
      for (const { writes } of readers) for (const { done } of writes) done();
    }),
    { numRuns: 2000 },
  );
});

/** As a reader does before each read. */
function read(reader: SocketReader, all: readonly SocketReader[]): void {
  if (reader.buffer && !isIdle(reader.buffer)) {
    letGo(reader.buffer);
    reader.buffer = undefined;
  }
  reader.buffer ??= takeLarge();
  const { buffer } = reader;
  const writing = all.flatMap(({ writes }) => writes).filter((write) => write.buffer === buffer);
  const readers = all.filter((other) => other.buffer === buffer);
  expect({ writing: writing.length, readers: readers.length }).toEqual({ writing: 0, readers: 1 });
}
