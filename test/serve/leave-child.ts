import { createLog } from '#lib/log.ts';
import { leaveOnSignal } from '#serve/leave-on-signal.ts';

/** A program that leaves as `argv[2]` says: `well`, `badly`, or `late`, which is never. */

const [, , how] = process.argv;

leaveOnSignal({
  leave: () => process.stdout.write('leaves\n'),
  afterMs: how === 'late' ? 2 ** 30 : 0,
  async close() {
    if (how === 'badly') throw new Error('a part of it does not end');
    process.stdout.write('closes\n');
  },
  log: createLog({ terminal: false }),
});
process.stdout.write('runs\n');
setInterval(() => {}, 2 ** 30);
