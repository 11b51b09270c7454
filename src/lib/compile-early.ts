import { setFlagsFromString } from 'node:v8';

/**
 * What wakes a model runs seldom, so V8 would interpret it for a long time: functions that run for the first time from
 * now on, in all threads, are compiled at once. A start takes about a millisecond less, for 7 MiB of code.
 */
export function compileEarly(): void {
  setFlagsFromString('--always-sparkplug');
}
