import { readFileSync } from 'node:fs';
import { createAdmin } from '#activator/admin.ts';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import { systemClock } from '#lib/clock.ts';
import { WRONG_USAGE } from '#lib/exit-status.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { createLog } from '#lib/log.ts';
import { readVersion } from '#lib/version.ts';
import { createIngressServer } from '#serve/ingress/ingress.ts';
import { parseIngressSettings, USAGE } from '#serve/ingress/settings.ts';
import { leaveOnSignal } from '#serve/leave-on-signal.ts';

/** The program of Rouse's ingress: a way into the cluster for Knative. */

const RESOLV_CONF = '/etc/resolv.conf';
/** So long after a pod has said that it ends, others still send to it. */
const LEAVE_MS = 5000;
/** For the requests that run then. The pod is given more. */
const DRAIN_MS = 45_000;

async function run(): Promise<void> {
  const settings = parseIngressSettings(
    process.argv.slice(2),
    process.env,
    readFileSync(RESOLV_CONF, 'utf8'),
  );
  const clock = systemClock;
  const log = createLog({ terminal: process.stderr.isTTY });
  const connection = await createConnection();
  const kube = createKube(connection, clock);
  const server = await createIngressServer({ settings, kube, version: readVersion(), clock, log });
  const admin = await createAdmin(settings.admin, {
    ready: server.ready,
    metrics: () => server.activator.metrics(),
  });
  log.info({ requests: server.activator.port, admin: admin.port }, 'the ingress listens');
  server.ready.then(() => log.info('all of the cluster is known')).catch(giveUp);

  leaveOnSignal({
    leave: () => admin.leave(),
    afterMs: LEAVE_MS,
    async close() {
      await server.close(DRAIN_MS);
      await admin.close();
      connection.close();
    },
    log,
  });
}

function giveUp(error: unknown): void {
  process.stderr.write(`rouse ingress: ${messageOf(error)}\n`);
  const isUsage = error instanceof Fault && error.code === 'invalid';
  if (isUsage) process.stderr.write(USAGE);
  process.exit(isUsage ? WRONG_USAGE : 1);
}

run().catch(giveUp);
