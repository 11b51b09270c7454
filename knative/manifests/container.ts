import {
  ENV_ARTIFACT,
  ENV_ARTIFACT_KEY,
  ENV_ARTIFACTS_URL,
  ENV_INSPECTION,
  ENV_KIND,
  ENV_MODEL,
  ENV_NAMESPACE,
  ENV_REVISION,
  ENV_WORK,
} from '#domain/launch.ts';
import type { RevisionSpec } from '#domain/model.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { Workload } from '#runtime/runtime.ts';
import type { Container, EnvVar, Probe, Texts, Volume } from '../api/objects.ts';
import { CONFINED } from './own-image.ts';

/** The container of an instance, beside Knative's queue-proxy. */
export const MODEL_CONTAINER = 'model';
/** A secret of Rouse is a Secret of the cluster with one value under this key. */
const SECRET_KEY = 'value';

/** Knative's own default; it tells the program as `PORT`. */
const PORT = 8080;
const WORK = { name: 'work', mountPath: '/rouse' };
/** Beside the artifact: what is unpacked or built from it, and temporary files. */
const WORK_BYTES = 2 ** 30;
const GPU = 'nvidia.com/gpu';
const LISTEN_FD = '${LISTEN_FD}';

/** Where instances get our servers and their artifacts from. */
export interface Servers {
  /** The image of the servers for `onnx`, `function` and `python`, and of what `command` runs. */
  readonly image: string;
  /** Answers `GET <url>/sha256:<digest>/content` with the content; instances reach it. */
  readonly artifactsUrl: string;
  /** What opens the artifact with this digest, and no other. Whoever may read the Service in the cluster sees it. */
  artifactKey(digest: string): string;
}

/** Throws Fault `invalid` for what cannot run in a cluster. */
export function makeContainer(workload: Workload, servers: Servers): Container {
  const { spec } = workload;
  const isOurs = runsOnOurs(spec);
  // What our image runs as given, too: its entry fills in what it alone knows.
  const takesArgs = spec.runtime === 'command' || spec.runtime === 'image';
  const probe = makeProbe(spec);
  return {
    name: MODEL_CONTAINER,
    image: isOurs ? servers.image : imageOf(spec),
    ...(takesArgs && spec.args.length > 0 && { args: argsOf(spec) }),
    ports: [{ name: spec.readiness.grpc === true ? 'h2c' : 'http1', containerPort: PORT }],
    env: onceEach([
      ...makeUserEnv(spec),
      ...makeOwnEnv(workload),
      ...(isOurs ? makeServerEnv(workload, servers) : []),
    ]),
    resources: makeResources(spec),
    ...(probe && { readinessProbe: probe }),
    ...(isOurs && { volumeMounts: [WORK], securityContext: CONFINED }),
    // Of a program that ends, the last lines become the reason.
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

/** Room for the artifact, which the server fetches by its digest before it listens. */
export function makeVolumes(workload: Workload): readonly Volume[] | undefined {
  if (!runsOnOurs(workload.spec)) return undefined;
  const bytes = (artifactOf(workload)?.size ?? 0) + WORK_BYTES;
  return [{ name: WORK.name, emptyDir: { sizeLimit: String(bytes) } }];
}

function runsOnOurs({ runtime }: RevisionSpec): boolean {
  return runtime !== 'image' && runtime !== 'url';
}

function imageOf({ runtime, source }: RevisionSpec): string {
  if (runtime === 'image' && source !== undefined) return source;
  throw new Fault('invalid', `runtime ${runtime} has no pods`);
}

function argsOf({ runtime, args }: RevisionSpec): readonly string[] {
  if (runtime === 'command' && args.some((arg) => arg.includes(LISTEN_FD))) {
    throw new Fault('invalid', `args name ${LISTEN_FD}, which a pod does not have: use \${PORT}`);
  }
  return args;
}

function artifactOf({ artifact, inspection }: Workload): ArtifactRef | undefined {
  return inspection?.served ?? artifact;
}

export function makeUserEnv({ env }: Pick<RevisionSpec, 'env'>): EnvVar[] {
  return Object.entries(env).map(([name, value]) =>
    typeof value === 'string'
      ? { name, value }
      : { name, valueFrom: { secretKeyRef: { name: value.secret, key: SECRET_KEY } } },
  );
}

/** The last of a name holds: who it is, nothing can override. */
export function onceEach(env: readonly EnvVar[]): EnvVar[] {
  return Array.from(new Map(env.map((each) => [each.name, each])).values());
}

function makeOwnEnv({ key }: Workload): EnvVar[] {
  const { namespace, model, revision } = partsOfRevisionKey(key);
  return [
    { name: ENV_NAMESPACE, value: namespace },
    { name: ENV_MODEL, value: model },
    { name: ENV_REVISION, value: revision },
  ];
}

function makeServerEnv(workload: Workload, servers: Servers): EnvVar[] {
  const { key, spec, inspection } = workload;
  const artifact = artifactOf(workload);
  if (!artifact && spec.runtime !== 'command')
    throw new Fault('invalid', `${key}: runtime ${spec.runtime} needs a stored source`);
  return [
    { name: ENV_KIND, value: spec.runtime },
    { name: ENV_WORK, value: WORK.mountPath },
    { name: 'TMPDIR', value: WORK.mountPath },
    ...(artifact ? makeContentEnv(artifact, servers) : []),
    ...(inspection ? [{ name: ENV_INSPECTION, value: JSON.stringify(inspection) }] : []),
  ];
}

function makeContentEnv({ digest, size, name, kind }: ArtifactRef, servers: Servers): EnvVar[] {
  return [
    { name: ENV_ARTIFACTS_URL, value: servers.artifactsUrl },
    { name: ENV_ARTIFACT_KEY, value: servers.artifactKey(digest) },
    { name: ENV_ARTIFACT, value: JSON.stringify({ digest, size, name, kind }) },
  ];
}

/** None: Knative asks whether the port is open, which servers open when they can serve. */
function makeProbe({ readiness }: RevisionSpec): Probe | undefined {
  if (readiness.path !== undefined) return { httpGet: { path: readiness.path, port: 0 } };
  return readiness.grpc === true ? { grpc: { port: PORT, service: '' } } : undefined;
}

function makeResources({ resources }: RevisionSpec): Container['resources'] {
  const { memory, cpu, gpu, limits } = resources;
  // A GPU is never shared: Kubernetes takes the limit as the request.
  const most = makeAmounts(limits?.memory, limits?.cpu, gpu);
  const requests = makeAmounts(memory, cpu, 0);
  return { ...(requests && { requests }), ...(most && { limits: most }) };
}

export function makeAmounts(memory?: number, cpu?: number, gpu = 0): Texts | undefined {
  const amounts = {
    ...(memory !== undefined && { memory: String(memory) }),
    ...(cpu !== undefined && { cpu: `${Math.round(cpu * 1000)}m` }),
    ...(gpu > 0 && { [GPU]: String(gpu) }),
  };
  return Object.keys(amounts).length > 0 ? amounts : undefined;
}
