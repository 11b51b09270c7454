import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIdle, lend, letGo, takeLarge } from '#activator/large-buffers.ts';

/** What one inlet and the writes that it started hold. */
interface Inlet {
  buffer: Buffer | undefined;
  readonly writes: { buffer: Buffer; done: () => void }[];
}

test('a buffer is read into only while no write has bytes of it and no other inlet has it', () => {
  const step = fc.record({
    inlet: fc.nat({ max: 4 }),
    act: fc.constantFrom('read', 'write', 'done', 'leave'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const inlets: Inlet[] = Array.from({ length: 5 }, () => ({ buffer: undefined, writes: [] }));
      for (const { inlet: at, act } of steps) {
        const inlet = inlets[at]!;
        if (act === 'read') read(inlet, inlets);
        else if (act === 'write' && inlet.buffer) {
          const done = lend(inlet.buffer);
          if (done) inlet.writes.push({ buffer: inlet.buffer, done });
        } else if (act === 'done') inlet.writes.shift()?.done();
        else if (act === 'leave' && inlet.buffer) {
          letGo(inlet.buffer);
          inlet.buffer = undefined;
        }
      }
      for (const { writes } of inlets) for (const { done } of writes) done();
    }),
    { numRuns: 2000 },
  );
});

/** As an inlet does before each read. */
function read(inlet: Inlet, all: readonly Inlet[]): void {
  if (inlet.buffer && !isIdle(inlet.buffer)) {
    letGo(inlet.buffer);
    inlet.buffer = undefined;
  }
  inlet.buffer ??= takeLarge();
  const { buffer } = inlet;
  const writing = all.flatMap(({ writes }) => writes).filter((write) => write.buffer === buffer);
  const readers = all.filter((other) => other.buffer === buffer);
  expect({ writing: writing.length, readers: readers.length }).toEqual({ writing: 0, readers: 1 });
}
