import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SERVER_FIELDS } from '#domain/server.ts';
import { readVersion } from '#lib/version.ts';
import { parseYaml } from '#lib/yaml.ts';
import {
  filesOf,
  INSTALL,
  type Manifest,
  manifestsOf,
  readInstall,
  readManifests,
  resourcesOf,
} from './files.ts';
import type { Rule } from './rights.ts';

const PARTS = readdirSync(INSTALL, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'templates')
  .map(({ name }) => name);
/** Its file is a change of Knative's own Deployment. */
const CHANGE = 'activator';
/** Those whose files are objects, and not changes of objects. */
const OBJECTS = PARTS.filter(
  (part) => part !== CHANGE && resourcesOf(part).some((name) => name.endsWith('.yaml')),
);
const ALL = OBJECTS.flatMap(manifestsOf);

interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly securityContext?: unknown;
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly emptyDir?: { readonly sizeLimit?: string } }[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext?: unknown;
  readonly resources?: { readonly requests?: object; readonly limits?: object };
  readonly readinessProbe?: unknown;
  readonly livenessProbe?: unknown;
}

const deployments = ALL.filter(({ kind }) => kind === 'Deployment');
const podOf = (deployment: Manifest): PodSpec =>
  (deployment['spec'] as { template: { spec: PodSpec } }).template.spec;

describe.each(deployments.map((each) => [each.metadata.name, podOf(each)] as const))(
  'the pods of %s',
  (_, pod) => {
    test('run as nobody, with nothing that Kubernetes can take away from them', () => {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    });

    test('have the token of an account of their own, and no list of Services in their environment', () => {
      expect(pod).toMatchObject({ automountServiceAccountToken: true, enableServiceLinks: false });
      const account = ALL.find(
        ({ kind, metadata }) =>
          kind === 'ServiceAccount' && metadata.name === pod.serviceAccountName,
      );
      expect(account).toMatchObject({ automountServiceAccountToken: false });
    });

    test('say what they need and take at most, and are probed', () => {
      for (const { resources, readinessProbe, livenessProbe } of pod.containers) {
        expect(resources).toMatchObject({
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        });
        expect(readinessProbe).toBeDefined();
        expect(livenessProbe).toBeDefined();
      }
    });

    test('have one image, which kustomize names, and bounded folders', () => {
      for (const { image, env = [] } of pod.containers) {
        expect(image).toBe('rouse');
        const named = env.filter(({ value }) => value === 'rouse').map(({ name }) => name);
        expect(named.filter((name) => name !== 'ROUSE_KNATIVE_IMAGE')).toEqual([]);
      }
      for (const { emptyDir } of pod.volumes ?? []) {
        if (emptyDir) expect(emptyDir.sizeLimit).toMatch(/^\d+[MG]i$/);
      }
    });
  },
);

describe('rights', () => {
  const roles = ALL.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');

  test('have no wildcards, and none of what makes more rights', () => {
    const rules = roles.flatMap((role) => role['rules'] as Rule[]);
    expect(rules.length).toBeGreaterThan(5);
    const words = rules.flatMap(({ apiGroups, resources, verbs }) =>
      [apiGroups, resources, verbs].flat(),
    );
    const excessive = new Set([
      '*',
      'escalate',
      'bind',
      'impersonate',
      'pods/exec',
      'clusterroles',
    ]);
    expect(words.filter((word) => excessive.has(word))).toEqual([]);
  });

  test('each have a reason beside them', () => {
    for (const part of OBJECTS) {
      for (const file of filesOf(part)) {
        const lines = readInstall(`${part}/${file}`).split('\n');
        const bare = lines.filter(
          (line, index) =>
            line.startsWith('  - apiGroups:') && !lines[index - 1]?.trim().startsWith('#'),
        );
        expect({ file, bare }).toEqual({ file, bare: [] });
      }
    }
  });

  test('are those of roles that are there, given to accounts that are there', () => {
    const names = new Set(ALL.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    const bindings = ALL.filter(({ kind }) => kind.endsWith('Binding'));
    expect(bindings.length).toBeGreaterThan(0);
    for (const { roleRef, subjects } of bindings as unknown as Binding[]) {
      if (roleRef.name !== OF_KUBERNETES) {
        expect(names).toContain(`${roleRef.kind} ${roleRef.name}`);
      }
      for (const { kind, name } of subjects) expect(names).toContain(`${kind} ${name}`);
    }
  });
});

/** A role that every cluster has: to read how its API server is known. */
const OF_KUBERNETES = 'extension-apiserver-authentication-reader';

interface Binding {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects: readonly { readonly kind: string; readonly name: string }[];
}

test("of Knative's activator, only the image is changed", () => {
  expect(manifestsOf(CHANGE)).toEqual([
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'activator', namespace: 'knative-serving' },
      spec: {
        template: {
          spec: {
            containers: [{ name: 'activator', image: 'rouse-activator' }],
          },
        },
      },
    },
  ]);
});

test('of what there are several, one stays while nodes are drained', () => {
  const several = deployments.filter(({ spec }) => Object(spec).replicas > 1);
  expect(several.map(({ metadata }) => metadata.name)).toEqual(['rouse-ingress']);
  const budgets = ALL.filter(({ kind }) => kind === 'PodDisruptionBudget');
  for (const { metadata, spec } of several) {
    const { namespace } = metadata;
    const { selector } = Object(spec);
    expect(budgets).toContainEqual(
      expect.objectContaining({
        metadata: expect.objectContaining({ namespace }),
        spec: expect.objectContaining({ maxUnavailable: 1, selector }),
      }),
    );
  }
});

test('the namespace admits only pods that are restricted', () => {
  const namespace = ALL.find(({ kind }) => kind === 'Namespace');
  expect(namespace?.metadata).toEqual({
    name: 'rouse-system',
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
  });
});

test('metrics are where the API server is told to ask for them', () => {
  const service = manifestsOf('metrics').find(({ kind }) => kind === 'Service');
  const api = manifestsOf('metrics').find(({ kind }) => kind === 'APIService');
  const { ports } = Object(service?.['spec']) as { ports: { port: number; targetPort: number }[] };
  const [port] = ports;
  expect(api?.['spec']).toMatchObject({
    service: {
      name: service?.metadata.name,
      namespace: service?.metadata.namespace,
      port: port?.port,
    },
  });
  const [patch] = readManifests(readInstall('metrics/patch/control.yaml'), 'control.yaml');
  const env = [{ name: 'ROUSE_KNATIVE_METRICS', value: `0.0.0.0:${port?.targetPort}` }];
  expect(podOf(patch as Manifest).containers).toEqual([{ name: 'rouse', env }]);
});

test('what a part sets of control is a setting that there is', () => {
  const known = new Set(SERVER_FIELDS.map(({ env }) => env));
  const set = ['models', 'metrics', 'batch'].flatMap((part) => {
    const [patch] = readManifests(readInstall(`${part}/patch/control.yaml`), part);
    return podOf(patch as Manifest).containers.flatMap(({ env = [] }) => env);
  });
  expect(set.filter(({ name }) => !known.has(name))).toEqual([]);
  expect(set).toContainEqual({ name: 'ROUSE_KNATIVE_MODELS', value: 'true' });
});

test('nothing of the install bears the label of what Rouse makes for models', () => {
  for (const part of OBJECTS) {
    for (const file of filesOf(part)) {
      expect(readInstall(`${part}/${file}`)).not.toContain('app.kubernetes.io/managed-by: rouse');
    }
  }
});

test.each(OBJECTS)('kustomize and the chart have the same files of %s', (part) => {
  expect(resourcesOf(part).toSorted()).toEqual(filesOf(part).toSorted());
});

test('the chart has the version of Rouse', () => {
  const chart = parseYaml(readFileSync(join(INSTALL, 'Chart.yaml'), 'utf8'), 'Chart.yaml');
  const version = readVersion();
  expect(chart[0]?.value).toMatchObject({ version, appVersion: version });
});

/** The pods' network of the tests does not enforce policies: what they say is all that can be asked of them here. */
test('the network lets in what is meant to be reached, and nothing else', () => {
  const policies = ALL.filter(({ kind }) => kind === 'NetworkPolicy');
  const said = Object.fromEntries(
    policies.map(({ metadata, spec }) => [`${metadata.namespace}/${metadata.name}`, spec]),
  );
  expect(said).toEqual({
    'rouse-system/rouse': {
      podSelector: {
        matchLabels: {
          'app.kubernetes.io/name': 'rouse',
          'app.kubernetes.io/component': 'control',
        },
      },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: 'requests' }, { port: 'control' }] }],
    },
    'rouse-system/rouse-ingress': {
      podSelector: {
        matchLabels: {
          'app.kubernetes.io/name': 'rouse',
          'app.kubernetes.io/component': 'ingress',
        },
      },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [{ port: 'http' }, { port: 'https' }, { port: 'admin' }] },
        { from: [{ namespaceSelector: {} }], ports: [{ port: 'inside' }] },
      ],
    },
    'rouse-system/rouse-metrics': {
      podSelector: {
        matchLabels: {
          'app.kubernetes.io/name': 'rouse',
          'app.kubernetes.io/component': 'control',
        },
      },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: 8443 }] }],
    },
    'knative-serving/rouse-autoscaler': {
      podSelector: { matchLabels: { app: 'autoscaler' } },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: ['activator', 'autoscaler'].map((app) => ({
            podSelector: { matchLabels: { app } },
          })),
          ports: [{ port: 8080 }],
        },
        { ports: [{ port: 9090 }] },
      ],
    },
  });
});
