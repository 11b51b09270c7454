import { createHash } from 'node:crypto';

/** What is built from Go modules. The versions stand in the go.mod of each folder below `go`. */

export interface GoModule {
  /** Below `go`: a go.mod and a go.sum, and perhaps programs of our own. */
  readonly folder: string;
  readonly programs: Readonly<Record<string, string>>;
  /** Variables of the programs that are set when they are linked. */
  readonly variables?: Readonly<Record<string, string>>;
}

const KUBERNETES = { major: '1', minor: '34', patch: '4' };
const GIT_VERSION = `v${KUBERNETES.major}.${KUBERNETES.minor}.${KUBERNETES.patch}`;

/** Knative's own programs, each one an image. */
export const KNATIVE_PROGRAMS = ['activator', 'autoscaler', 'controller', 'queue', 'webhook'];
/** Programs of Knative's tests, each one an image. */
export const TEST_PROGRAMS = ['helloworld'];

export const MODULES: readonly GoModule[] = [
  { folder: 'box', programs: { first: './first', certificates: './certificates' } },
  { folder: 'etcd', programs: { etcd: 'go.etcd.io/etcd/server/v3' } },
  {
    folder: 'kubernetes',
    programs: byName('k8s.io/kubernetes/cmd', [
      'kube-apiserver',
      'kube-controller-manager',
      'kube-proxy',
      'kube-scheduler',
      'kubectl',
      'kubelet',
    ]),
    // Without it they say v0.0.0, which is too old for Knative.
    variables: {
      'k8s.io/component-base/version.gitVersion': GIT_VERSION,
      'k8s.io/component-base/version.gitMajor': KUBERNETES.major,
      'k8s.io/component-base/version.gitMinor': KUBERNETES.minor,
      'k8s.io/client-go/pkg/version.gitVersion': GIT_VERSION,
    },
  },
  { folder: 'coredns', programs: { coredns: '.' } },
  {
    folder: 'knative',
    programs: {
      ...byName('knative.dev/serving/cmd', KNATIVE_PROGRAMS),
      ...byName('knative.dev/serving/test/test_images', TEST_PROGRAMS),
    },
  },
];

function byName(parent: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `${parent}/${name}`]));
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
  return ['build', ...options, '-o', target, module.programs[name] ?? name];
}

/** Names the folder of a module's built programs: another as soon as anything that goes into them is another. */
export function cacheKey(
  module: GoModule,
  files: readonly { readonly name: string; readonly text: string }[],
  goVersion: string,
): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify({ module, files, goVersion }));
  return `${module.folder}-${hash.digest('hex').slice(0, 12)}`;
}
