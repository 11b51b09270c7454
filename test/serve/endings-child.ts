import { once } from 'node:events';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { followSignals, holdSignals } from '#serve/endings.ts';

/**
 * A server that something keeps from ending. Its timers run so many times as fast as its argument says; half a second
 * of its clock passes with each line that it is told,
 * but for the one that it waits for with `held`.
 */

const speed = Number(process.argv[2]);
const tell = (what: string): void => void process.stdout.write(`${what}\n`);
let now = 0;
const clock = {
  now: () => now,
  after: (ms: number, run: () => void) => systemClock.after(ms / speed, run),
};
const held = holdSignals(clock);
const tls = process.argv.includes('tls') ? [{ certificate: 'c', key: 'k' }] : [];

if (process.argv.includes('held')) {
  tell('holds');
  await once(process.stdin, 'data');
}
process.stdin.on('data', () => {
  now += 500;
  tell('later');
});
followSignals({
  settings: { drain: 1000, tls },
  close: ({ drainMs, stopMs }) => tell(`close ${drainMs} ${stopMs}`),
  kill: () => tell('kill'),
  reload: () => tell('reload'),
  held,
  clock,
  log: silentLog,
});
setInterval(() => {}, 2 ** 30);
tell('up');
