import { createHash } from 'node:crypto';

/** What is built from Go modules. The versions stand in the go.mod of each folder below `go`. */

export interface GoModule {
  /** Below `go`: a go.mod and a go.sum, and perhaps programs of our own. */
  readonly folder: string;
  readonly programs: Readonly<Record<string, string>>;
  /** Packages whose tests are built, each package as one program. */
  readonly suites?: Readonly<Record<string, string>>;
  /** Variables of the programs that are set when they are linked. */
  readonly variables?: Readonly<Record<string, string>>;
}

const KUBERNETES = { major: '1', minor: '34', patch: '4' };
const GIT_VERSION = `v${KUBERNETES.major}.${KUBERNETES.minor}.${KUBERNETES.patch}`;
const KUBERNETES_PROGRAMS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubectl',
  'kubelet',
];
/** Images that only some tests need. */
const SERVING_IMAGES = [
  'autoscale',
  'configmimic',
  'failing',
  'grpc-ping',
  'hellohttp2',
  'hellovolume',
  'httpproxy',
  'pizzaplanetv1',
  'pizzaplanetv2',
  'readiness',
  'runtime',
  'singlethreaded',
  'slowstart',
  'timeout',
  'volumes',
  'wsserver',
];
const CONTAINER_IMAGES = ['servingcontainer', 'sidecarcontainer'];
/** Some have the names of serving's own, and are others. */
const NETWORKING_IMAGES = ['grpc-ping', 'httpproxy', 'retry', 'runtime', 'timeout', 'wsserver'];

/** Knative's own programs, each one an image. */
export const KNATIVE_PROGRAMS = ['activator', 'autoscaler', 'controller', 'queue', 'webhook'];
/** Programs of Knative's tests, each one an image that every cluster has. */
export const TEST_PROGRAMS = ['helloworld'];
/** What a cluster runs. */
export const CLUSTER_PROGRAMS = [
  'first',
  'certificates',
  'etcd',
  'coredns',
  ...KUBERNETES_PROGRAMS,
  ...KNATIVE_PROGRAMS,
  ...TEST_PROGRAMS,
];
/** What can be an image of a cluster that asks for it. */
export const MORE_IMAGES = [
  'autoscaler-hpa',
  ...SERVING_IMAGES,
  ...CONTAINER_IMAGES,
  ...NETWORKING_IMAGES.map((name) => `networking/${name}`),
];

const SERVING_TESTS = 'knative.dev/serving/test';
const NETWORKING_TESTS = 'knative.dev/networking/test';

export const MODULES: readonly GoModule[] = [
  { folder: 'box', programs: { first: './first', certificates: './certificates' } },
  { folder: 'etcd', programs: { etcd: 'go.etcd.io/etcd/server/v3' } },
  {
    folder: 'kubernetes',
    programs: byName('k8s.io/kubernetes/cmd', KUBERNETES_PROGRAMS),
    // Without it they say v0.0.0, which is too old for Knative.
    variables: {
      'k8s.io/component-base/version.gitVersion': GIT_VERSION,
      'k8s.io/component-base/version.gitMajor': KUBERNETES.major,
      'k8s.io/component-base/version.gitMinor': KUBERNETES.minor,
      'k8s.io/client-go/pkg/version.gitVersion': GIT_VERSION,
    },
  },
  { folder: 'coredns', programs: { coredns: '.' } },
  { folder: 'helm', programs: { helm: 'helm.sh/helm/v3/cmd/helm' } },
  {
    folder: 'knative',
    programs: {
      ...byName('knative.dev/serving/cmd', [...KNATIVE_PROGRAMS, 'autoscaler-hpa']),
      ...byName(`${SERVING_TESTS}/test_images`, [...TEST_PROGRAMS, ...SERVING_IMAGES]),
      ...byName(`${SERVING_TESTS}/test_images/multicontainer`, CONTAINER_IMAGES),
      ...byName(`${NETWORKING_TESTS}/test_images`, NETWORKING_IMAGES, 'networking/'),
    },
    suites: {
      'conformance-ingress': `${NETWORKING_TESTS}/conformance/ingress`,
      'conformance-api': `${SERVING_TESTS}/conformance/api/v1`,
      'conformance-runtime': `${SERVING_TESTS}/conformance/runtime`,
      e2e: `${SERVING_TESTS}/e2e`,
      'e2e-tagheader': `${SERVING_TESTS}/e2e/tagheader`,
      'e2e-initscale': `${SERVING_TESTS}/e2e/initscale`,
      ha: `${SERVING_TESTS}/ha`,
    },
  },
];

function byName(parent: string, names: readonly string[], prefix = ''): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${prefix}${name}`, `${parent}/${name}`]));
}

/** The programs and suites of a module: names and packages. */
export function targetsOf({ programs, suites }: GoModule): Readonly<Record<string, string>> {
  return { ...programs, ...suites };
}

/** Arguments of `go` that build one program of a module. */
export function buildArgs(module: GoModule, name: string, target: string): string[] {
  const variables = Object.entries(module.variables ?? {}).flatMap(([key, value]) => [
    '-X',
    `${key}=${value}`,
  ]);
  const linked = ['-s', '-w', ...variables].join(' ');
  // Two at once: others need the machine, too.
  const options = ['-mod=readonly', '-p', '2', '-trimpath', '-ldflags', linked];
  const suite = module.suites?.[name];
  const command = suite === undefined ? ['build'] : ['test', '-c', '-tags', 'e2e'];
  return [...command, ...options, '-o', target, targetsOf(module)[name] ?? name];
}

/** Names the folder of a built program: another as soon as anything that goes into it is another. */
export function cacheKey(
  module: GoModule,
  name: string,
  files: readonly { readonly name: string; readonly text: string }[],
  goVersion: string,
): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify({ command: buildArgs(module, name, ''), files, goVersion }));
  return `${module.folder}-${hash.digest('hex').slice(0, 12)}`;
}
