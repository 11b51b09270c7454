import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { AUDIT_LOG } from '#test/cluster/folders.ts';
import { type Manifest, manifestsOf, readManifests } from '#test/knative/install/files.ts';
import { grantsOf, nameOf, rulesOf } from '#test/knative/install/rights.ts';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

const IMAGE = 'dev.local/rouse:v1';
const ACTIVATOR_IMAGE = 'dev.local/rouse-activator:v1';
const CHOICES = [
  { image: IMAGE },
  {
    image: 'registry.example:5000/team/rouse:2',
    ingress: false,
    models: false,
    guarded: false,
  },
  { image: IMAGE, ephemeral: true },
  { image: IMAGE, metrics: true },
  { image: IMAGE, batch: true },
  { image: IMAGE, env: { ROUSE_DOMAIN: 'models.example', ROUSE_CONTROL_HOSTS: 'rouse.example' } },
];
/** What each may do. */
const ACCOUNTS = new Map([
  [
    'system:serviceaccount:rouse-system:rouse',
    [
      ...['ClusterRole', 'Role'].flatMap((kind) => grantsFor('base', kind, 'rouse')),
      ...grantsFor('models', 'ClusterRole', 'rouse-models'),
    ],
  ],
  [
    'system:serviceaccount:rouse-system:rouse-ingress',
    ['ClusterRole', 'Role'].flatMap((kind) => grantsFor('ingress', kind, 'rouse-ingress')),
  ],
]);

function grantsFor(part: string, kind: string, name: string): string[] {
  return grantsOf(rulesOf(manifestsOf(part), kind, name));
}

interface Deed {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
  };
}

/**
 * By kind and name. The namespace is Helm's to make. The order of volumes means nothing, and that of an environment
 * nothing where nothing refers.
 */
function objectsOf(text: string): Record<string, Manifest> {
  const manifests = readManifests(text, 'rendered').filter(({ kind }) => kind !== 'Namespace');
  for (const each of manifests) {
    const pod = podOf(each);
    pod?.volumes?.sort(byName);
    for (const { env, volumeMounts } of pod?.containers ?? []) {
      env?.sort(byName);
      volumeMounts?.sort(byName);
    }
  }
  return Object.fromEntries(
    manifests.map((each) => [
      `${each.kind} ${each.metadata.namespace}/${each.metadata.name}`,
      each,
    ]),
  );
}

/** What is written to: what is made for the models in there, Ingresses of our class, and the ingress's own Lease. */
const WRITTEN = {
  written: / default\/(embed|embed-object|kept)(-v1-.+)?$/,
  writtenByIngress: /^(ingresses default\/hello|leases rouse-system\/.*)$/,
};

interface Named {
  readonly name: string;
}

interface PodSpec {
  readonly containers: readonly { readonly env?: Named[]; readonly volumeMounts?: Named[] }[];
  readonly volumes?: Named[];
}

function podOf(manifest: Manifest): PodSpec | undefined {
  if (manifest.kind !== 'Deployment') return undefined;
  const { spec } = manifest as unknown as { spec: { template: { spec: PodSpec } } };
  return spec.template.spec;
}

function byName(one: Named, other: Named): number {
  return one.name < other.name ? -1 : 1;
}

describe.skipIf(MISSING.length > 0)(`the install ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster('rouse', 'helm');
  });

  test('kustomize and the chart make the same objects', async () => {
    const made = await runInside(cluster, 'install-render-child.ts', JSON.stringify(CHOICES));
    const rendered = made as { kustomize: string; helm: string }[];
    expect(rendered).toHaveLength(CHOICES.length);
    for (const { kustomize, helm } of rendered) {
      const objects = objectsOf(kustomize);
      expect(Object.keys(objects).length).toBeGreaterThan(5);
      expect(objectsOf(helm)).toEqual(objects);
    }
  });

  test.each(['kustomize', 'helm'])(
    'by %s: installed, used from zero to zero, upgraded below a pod that stays, removed; nothing is left, and nothing else touched',
    async (how) => {
      const seen = Object(await runInside(cluster, 'install-child.ts', how, IMAGE));
      expect(seen).toEqual({
        answered: '200, cold false',
        model: 'True',
        ingress: [expect.stringMatching(/^200 Hello World!/), expect.stringMatching(/^404 /)],
        woken: '200, cold true',
        upgraded: 'dev.local/rouse:newer debug',
        kept: true,
        after: '200, cold true',
        forbidden: [],
        written: expect.arrayContaining(['services default/embed', 'services default/kept']),
        writtenByIngress: expect.arrayContaining(['ingresses default/hello']),
        left: [],
        untouched: true,
      });
      for (const [key, own] of Object.entries(WRITTEN)) {
        const written: string[] = seen[key];
        expect(written.filter((each) => !own.test(each))).toEqual([]);
      }
    },
  );

  test("Knative's activator becomes ours by its image alone, and its own again, also by an upgrade", async () => {
    expect(await runInside(cluster, 'install-activator-child.ts', ACTIVATOR_IMAGE)).toEqual({
      changed: ['image'],
      runs: true,
      upgraded: true,
      undone: true,
    });
  });

  test('what control and the ingress may do is what they did', () => {
    const lines = readFileSync(join(cluster.state, auditFile), 'utf8').trimEnd().split('\n');
    const deeds = lines
      .map((line): Deed => JSON.parse(line))
      .filter(({ user, objectRef }) => ACCOUNTS.has(user.username) && objectRef !== undefined);
    for (const [account, grants] of ACCOUNTS) {
      const own = deeds.filter(({ user }) => user.username === account);
      const done = new Set(own.map(wordsOf));
      const idle = grants.filter((grant) => !done.has(grant) && !NOT_SEEN.has(grant));
      expect({ account, idle }).toEqual({ account, idle: [] });
    }
  });
});

/** In the state folder. */
const auditFile = AUDIT_LOG.replace('/var/', '');
const NOT_SEEN = new Set([
  // The log says `patch` where something was applied, whether or not it was there.
  'create services.serving.knative.dev',
  // The newest goes with its Service.
  'delete revisions.serving.knative.dev',
  // Of a pod that hangs, and of one that has failed.
  'delete pods',
  'get pods/log',
  // Of an unused one that asks for it by its retention.
  'delete models.rouse.dev',
  // Before Knative 1.21.
  'patch podautoscalers.autoscaling.internal.knative.dev',
]);

function wordsOf({ verb, objectRef }: Deed): string {
  const { apiGroup: group = '', resource = '', subresource } = objectRef ?? {};
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  return nameOf({ verb, group, resource: whole });
}
