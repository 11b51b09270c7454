import { ENV_MODEL, ENV_NAMESPACE, ENV_REVISION } from '#domain/launch.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { Workload } from '../runtime.ts';

export type Environment = Record<string, string>;

/**
 * What a program may know of Rouse's own environment. Anything else in there (keys, tokens, the addresses of
 * databases) is nobody's business.
 */
const INHERITED = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
]);
/** What installing packages needs besides: where they come from, and how to get there. */
const FOR_BUILDING =
  /^(PIP_[A-Z_]+|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE)$/;

/**
 * What a program starts with unless its model file says otherwise: a line is told when it is printed, and the ONNX
 * runtime, which may be in it, reports to nobody.
 */
export const DEFAULTS: Readonly<Environment> = {
  PYTHONUNBUFFERED: '1',
  ORT_DISABLE_TELEMETRY: '1',
};
export type ReadSecret = (namespace: string, name: string) => Promise<string | undefined>;

export function baseEnvironment(own: NodeJS.ProcessEnv): Environment {
  return pick(own, (name) => INHERITED.has(name));
}

export function buildEnvironment(own: NodeJS.ProcessEnv): Environment {
  return pick(own, (name) => INHERITED.has(name) || FOR_BUILDING.test(name));
}

/** The defaults and the base, then what the model file sets, then who it is, which nothing can override. */
export async function workloadEnvironment(
  base: Environment,
  workload: Workload,
  readSecret: ReadSecret,
): Promise<Environment> {
  const { namespace, model, revision } = partsOfRevisionKey(workload.key);
  const environment: Environment = { ...DEFAULTS, ...base };
  for (const [name, value] of Object.entries(workload.spec.env)) {
    environment[name] =
      typeof value === 'string' ? value : await secretOf(namespace, name, value.secret, readSecret);
  }
  environment[ENV_NAMESPACE] = namespace;
  environment[ENV_MODEL] = model;
  environment[ENV_REVISION] = revision;
  return environment;
}

async function secretOf(
  namespace: string,
  name: string,
  secret: string,
  readSecret: ReadSecret,
): Promise<string> {
  const value = await readSecret(namespace, secret);
  if (value !== undefined) return value;
  throw new Fault(
    'invalid',
    // Callers of the model may be told, too: not where the data folder is.
    `env ${name} names secret ${secret}, which does not exist in namespace ${namespace}: ` +
      `its value is a file secrets/${namespace}/${secret} in the data folder`,
  );
}

/**
 * What Rouse's helper processes start with: where their code is ready. One that has to strip its types keeps the stripper, in
 * 10 MiB of memory.
 */
export function helperEnvironment(own: NodeJS.ProcessEnv): Environment {
  return pick(own, (name) => name === 'NODE_COMPILE_CACHE');
}

function pick(own: NodeJS.ProcessEnv, isWanted: (name: string) => boolean): Environment {
  const picked: Environment = {};
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && isWanted(name)) picked[name] = value;
  }
  return picked;
}
