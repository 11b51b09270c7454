import type { ChildProcess } from 'node:child_process';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { createSupervisor } from '#lib/supervisor.ts';
import { createLiveness, type Liveness } from './liveness.ts';

/** A helper process ends in milliseconds, and holds nothing then that force could harm. */
const END_MS = 2000;

/** A helper process of the runtime: there is always one. One that ends is replaced, and one that hangs is ended. */
export interface Attended extends Omit<Liveness, 'reset' | 'heard'> {
  /** Undefined: it has ended, and the next one is not there yet. */
  child(): ChildProcess | undefined;
  /** Something came from this one, whatever it was. */
  heard(from: ChildProcess): void;
  kill(why: string): void;
  /** Resolves when it has ended, by `goodbye` or by force. */
  close(): Promise<void>;
}

export function createAttended(options: {
  /** For the log: "the watchdog". */
  name: string;
  start: () => ChildProcess;
  onLost?: () => void;
  /** Asks it to confirm the orders up to this one. */
  ask: (upTo: number) => void;
  /** Tells it to end. */
  goodbye: () => void;
  clock: Clock;
  log: Log;
}): Attended {
  const { name, ask, clock, log } = options;
  const liveness = createLiveness({ clock, ask, onSilent: () => kill('it answers nothing') });
  const supervisor = createSupervisor({
    ...options,
    onLost() {
      liveness.reset();
      options.onLost?.();
    },
  });

  /** What is stopped can hear no other signal. */
  function kill(why: string): void {
    const child = supervisor.holder();
    if (!child) return;
    log.error({ pid: child.pid, why }, `${name} is killed`);
    child.kill('SIGKILL');
  }

  return {
    child: () => supervisor.holder(),
    ordered: () => liveness.ordered(),
    heard(from) {
      supervisor.ready(from);
      liveness.heard();
    },
    confirmed: (upTo) => liveness.confirmed(upTo),
    kill,
    async close() {
      const closed = supervisor.close();
      liveness.reset();
      const force = clock.after(END_MS, () => kill('it does not end'));
      options.goodbye();
      await closed;
      force.cancel();
    },
  };
}
