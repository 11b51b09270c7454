import { formatAddress, type HostPort, isLoopback } from '#domain/address.ts';
import { DEFAULT_DATA, DEFAULT_LISTEN } from '#domain/server.ts';
import { quote, ROUSE } from '#lib/command.ts';
import { Fault } from '#lib/fault.ts';

/** Where a port is left to the system, no other command could name it. */
const DEFAULT_PORT = 8081;

/** Refuses to start control where others reach it while there is no key: everybody would be an admin. */
export function checkExposure(
  settings: { readonly control: HostPort; readonly listen: HostPort; readonly data: string },
  isKeyed: boolean,
): void {
  const { control, data } = settings;
  if (isKeyed || isLoopback(control.host)) return;
  const { host, port } = control;
  const where = port === 0 ? host : `${host} port ${port}`;
  const local = `127.0.0.1:${port === 0 ? DEFAULT_PORT : port}`;
  const folder = data === DEFAULT_DATA ? '' : ` --data ${quote(data)}`;
  const requests = formatAddress(settings.listen);
  const listen = requests === DEFAULT_LISTEN ? '' : ` --listen ${quote(requests)}`;
  throw new Fault(
    'forbidden',
    [
      `control would listen on ${where}, where others can reach it, and there is no key yet.`,
      'Start it on loopback and make one first:',
      `  ${ROUSE} serve${listen} --control ${local}${folder}`,
      `  ${ROUSE} key create --role admin --server http://${local}`,
    ].join('\n'),
  );
}

/** Is a key needed for every request? */
export function needsKey(control: HostPort, requireKey: boolean): boolean {
  return requireKey || !isLoopback(control.host);
}
