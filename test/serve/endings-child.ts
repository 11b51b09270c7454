import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { followSignals, holdSignals } from '#serve/endings.ts';

/** A server that something keeps from ending. Its time passes so many times as fast as its argument says. */

const speed = Number(process.argv[2]);
const held = holdSignals();
const tell = (what: string): void => void process.stdout.write(`${what}\n`);

followSignals({
  settings: { drain: 1000, tls: [] },
  close: ({ drainMs, stopMs }) => tell(`close ${drainMs} ${stopMs}`),
  kill: () => tell('kill'),
  reload: () => tell('reload'),
  held,
  clock: { ...systemClock, after: (ms, run) => systemClock.after(ms / speed, run) },
  log: silentLog,
});
setInterval(() => {}, 2 ** 30);
tell('up');
