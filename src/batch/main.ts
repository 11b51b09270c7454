import { constants, setPriority } from 'node:os';
import type { FromRunner, ToRunner } from '#domain/job-run.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { sendTo } from '#lib/ipc.ts';
import { checkOrder } from './runner/check.ts';
import { runJob } from './runner/run.ts';

/**
 * The runner of a batch job: a process that control starts, and that ends with it. It may be killed at any moment; the
 * next one goes on from what is on disk.
 */

const parts = { clock: systemClock, roll: Math.random };
let setSlots: (slots: number) => void = (slots) => void (firstSlots = slots);
let firstSlots = 1;

async function work(message: Exclude<ToRunner, { type: 'slots' }>): Promise<FromRunner> {
  const { order } = message;
  if (message.type === 'check') {
    return {
      type: 'checked',
      check: await checkOrder(order, { ...parts, tryRows: message.tryRows }),
    };
  }
  const report = await runJob(order, {
    ...parts,
    tell: (progress) => sendTo(process, progress),
    onShards: (count) => sendTo(process, { type: 'shards', count }),
    onSlots(set) {
      setSlots = set;
      set(firstSlots);
    },
  });
  return { type: 'done', report };
}

function fail(error: unknown): FromRunner {
  const { code, problems } = error instanceof Fault ? error : new Fault('internal', '');
  return { type: 'failed', code, message: messageOf(error), problems };
}

process.on('message', (message: ToRunner) => {
  if (message.type === 'slots') setSlots(message.slots);
  else {
    void work(message)
      .catch(fail)
      .then((said) => sendTo(process, said, () => process.exit()));
  }
});
// An exit would wait for what the reader's library still does.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// A terminal sends them to all of its processes; they are for the one that started the others.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
setPriority(constants.priority.PRIORITY_LOW);
