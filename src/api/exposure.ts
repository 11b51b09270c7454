import { type HostPort, isLoopback } from '#domain/address.ts';
import { Fault } from '#lib/fault.ts';

/** Refuses to start control where others reach it while there is no key: everybody would be an admin. */
export function checkExposure(control: HostPort, keys: number): void {
  if (keys > 0 || isLoopback(control.host)) return;
  const { host, port } = control;
  const local = `127.0.0.1:${port}`;
  throw new Fault(
    'forbidden',
    [
      `control would listen on ${host} port ${port}, where others can reach it, and there is no key yet.`,
      'Start it on loopback and make one first:',
      `  rouse serve --control ${local}`,
      `  rouse key create --role admin --server http://${local}`,
    ].join('\n'),
  );
}

/** Is a key needed for every request? */
export function needsKey(control: HostPort, requireKey: boolean): boolean {
  return requireKey || !isLoopback(control.host);
}
