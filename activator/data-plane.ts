import { randomBytes } from 'node:crypto';
import type { BusClient } from '#bus/bus.ts';
import type { ServerSettings } from '#domain/server.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { decideShare } from '#policies/admission.ts';
import { type Activator, createActivator } from './activator.ts';

/** A data plane as the settings of the server want it. */
export async function createDataPlane(
  settings: ServerSettings,
  own: {
    readonly client: BusClient;
    readonly dataPlane: string;
    readonly hasOthers: boolean;
    /** So many data planes share the limits that are for all of them together. */
    readonly processes: number;
    /** They share the port, too. */
    readonly sharePort: boolean;
    readonly version: string;
    readonly clock: Clock;
    readonly log: Log;
  },
): Promise<Activator> {
  const { limits } = settings;
  const { processes } = own;
  return await createActivator({
    ...settings.listen,
    sharePort: own.sharePort,
    domain: settings.domain,
    client: own.client,
    dataPlane: own.dataPlane,
    hasOthers: own.hasOthers,
    processes,
    limits: {
      head: limits.headerBytes,
      body: limits.bodyBytes,
      heldBytes: decideShare(limits.heldBytes, processes),
      connections: decideShare(limits.connections, processes),
    },
    clock: own.clock,
    version: own.version,
    roll: Math.random,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    entry: settings,
    log: own.log,
  });
}
