import { type HostPort, isLoopback, urlOf } from '#domain/address.ts';
import { Fault } from '#lib/fault.ts';

/** Refuses to start control where others reach it while there is no key: everybody would be an admin. */
export function checkExposure(control: HostPort, keys: number): void {
  if (keys > 0 || isLoopback(control.host)) return;
  throw new Fault(
    'forbidden',
    [
      `control would listen on ${urlOf(control).slice('http://'.length)}, where others can reach it, and there is no key yet.`,
      'Start it on loopback and make one first:',
      `  rouse serve --control 127.0.0.1:${control.port}`,
      `  rouse key create --role admin`,
    ].join('\n'),
  );
}

/** Is a key needed for every request? */
export function needsKey(control: HostPort, requireKey: boolean): boolean {
  return requireKey || !isLoopback(control.host);
}
