import { availableParallelism, cpus, loadavg } from 'node:os';

/** Other programs were running: the times say less. */
const NOISE_LOAD = 0.5;

/** Where something was measured, and how busy it was. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly loadAtStart: number;
  readonly noisy: boolean;
}

/** To be called before anything is started. */
export function describeMachine(): Machine {
  const [loadAtStart = 0] = loadavg();
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    loadAtStart,
    noisy: loadAtStart > NOISE_LOAD,
  };
}

export function formatMachine({ cores, cpu, loadAtStart, noisy }: Machine): string {
  const note = noisy ? ': NOISY, other programs were running' : '';
  return `${cores} cores (${cpu}), load at the start ${loadAtStart.toFixed(2)}${note}`;
}
