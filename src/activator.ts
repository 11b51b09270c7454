import { readFileSync } from 'node:fs';
import { createAdmin } from '#activator/admin.ts';
import { readClusterDomain } from '#knative/api/cluster-domain.ts';
import { createKube } from '#knative/api/kube.ts';
import { createPodConnection } from '#knative/api/pod-connection.ts';
import { systemClock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import { createLog, type Log } from '#lib/log.ts';
import { readVersion } from '#lib/version.ts';
import { createKnativeActivator } from '#serve/activator/activator.ts';
import {
  type ActivatorEnvironment,
  parseActivatorEnvironment,
} from '#serve/activator/environment.ts';
import { leaveOnSignal } from '#serve/leave-on-signal.ts';

/** Rouse in the place of Knative's activator: what its Deployment starts, with the environment that it gives. */

const HOST = '0.0.0.0';
/** As Knative's Services name them, by number. */
const HTTP = 8012;
const H2C = 8013;
const METRICS = 9090;
const AUTOSCALER = 8080;

/** As long as Knative's own: until nobody in the cluster sends requests here any more. */
const PROPAGATION_MS = 45_000;
/** Of the ten minutes that the Deployment gives for the end, without that. */
const DRAIN_MS = 540_000;

const RESOLV_CONF = '/etc/resolv.conf';

async function run(environment: ActivatorEnvironment, log: Log): Promise<void> {
  const { systemNamespace, podName } = environment;
  const clusterDomain = readClusterDomain(
    environment.clusterDomain,
    readFileSync(RESOLV_CONF, 'utf8'),
  );
  const connection = await createPodConnection(process.env);
  const version = readVersion();
  const made = await createKnativeActivator({
    environment,
    kube: createKube(connection, systemClock),
    autoscaler: `ws://autoscaler.${systemNamespace}.svc.${clusterDomain}:${AUTOSCALER}`,
    clusterDomain,
    http: { host: HOST, port: HTTP },
    h2c: { host: HOST, port: H2C },
    version,
    clock: systemClock,
    roll: Math.random,
    log,
  });
  const admin = await createAdmin({ host: HOST, port: METRICS }, made.activator);
  log.info({ podName, version, http: HTTP, h2c: H2C, metrics: METRICS }, 'takes requests');

  leaveOnSignal({
    leave: () => made.leave(),
    afterMs: PROPAGATION_MS,
    async close() {
      await made.close(DRAIN_MS);
      await admin.close();
      connection.close();
    },
    log,
  });
}

try {
  const environment = parseActivatorEnvironment(process.env);
  await run(
    environment,
    createLog({ level: environment.logLevel, terminal: process.stderr.isTTY }),
  );
} catch (error) {
  process.stderr.write(`rouse activator: ${messageOf(error)}\n`);
  process.exit(1);
}
