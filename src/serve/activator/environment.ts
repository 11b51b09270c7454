import { Fault } from '#lib/fault.ts';

/** What the Deployment of Knative's activator says by its environment. */
export interface ActivatorEnvironment {
  readonly podName: string;
  readonly podIp: string;
  /** Of Knative. */
  readonly systemNamespace: string;
  /** Absent: as the pod's resolver says. */
  readonly clusterDomain: string | undefined;
  readonly logLevel: string;
}

const NEEDED = ['POD_NAME', 'POD_IP', 'SYSTEM_NAMESPACE'] as const;
const LEVELS = ['debug', 'info', 'warn', 'error'];

/** Throws Fault `invalid` that names all that is missing. */
export function parseActivatorEnvironment(env: NodeJS.ProcessEnv): ActivatorEnvironment {
  const problems = NEEDED.filter((name) => (env[name] ?? '') === '').map(
    (name) => `${name} is not set`,
  );
  const logLevel = env.ROUSE_LOG_LEVEL ?? 'info';
  if (!LEVELS.includes(logLevel)) {
    problems.push(
      `ROUSE_LOG_LEVEL is ${JSON.stringify(logLevel)}, expected one of ${LEVELS.join(', ')}`,
    );
  }
  if (problems.length > 0) throw new Fault('invalid', problems.join('; '));
  const { POD_NAME = '', POD_IP = '', SYSTEM_NAMESPACE = '' } = env;
  return {
    podName: POD_NAME,
    podIp: POD_IP,
    systemNamespace: SYSTEM_NAMESPACE,
    clusterDomain: env.CLUSTER_DOMAIN,
    logLevel,
  };
}
