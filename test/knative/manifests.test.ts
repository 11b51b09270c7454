import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { Workload } from '#runtime/runtime.ts';
import { USER as IMAGE_USER } from '#knative/image/system.ts';
import { USER } from '#knative/manifests/own-image.ts';
import { DEFAULT_LIMITS, makeRevisionTemplate } from '#knative/manifests/revision.ts';
import { makeService } from '#knative/manifests/service.ts';
import { makeTraffic } from '#knative/manifests/traffic.ts';
import { revisionName } from '#knative/manifests/names.ts';

const SERVERS = {
  image: 'registry.example/rouse:1',
  artifactsUrl: 'http://rouse.rouse.svc:8081/api/v1/artifacts',
  artifactKey: (digest: string) => `ra_of_${digest}`,
};
const DIGEST = 'ab'.repeat(32);

function workload(spec: RevisionSpecInput, more: Partial<Workload> = {}): Workload {
  return { key: 'shop/digits/v2', spec: revisionSpec.parse(spec), ...more };
}

function template(made: Workload, limits = DEFAULT_LIMITS) {
  return makeRevisionTemplate(made, { servers: SERVERS, limits });
}

const onnx = workload(
  {
    runtime: 'onnx',
    source: `sha256:${DIGEST}`,
    env: { LOG_LEVEL: 'info', API_KEY: { secret: 'openai' }, ROUSE_MODEL: 'another' },
    concurrency: 4,
    resources: { memory: '256Mi', cpu: '500m', gpu: 1, limits: { memory: '1Gi' } },
    timeouts: { hold: '20s', run: '90s', idle: '1500ms', total: '5m' },
  },
  {
    artifact: { digest: DIGEST, size: 5000, name: 'digits.onnx', kind: 'file' },
    inspection: { platform: 'onnxruntime_onnx', inputs: [], outputs: [], properties: {} },
  },
);

const image = workload({
  runtime: 'image',
  source: 'registry.example/llama@sha256:00ff',
  args: ['--port', '8080'],
  concurrency: 0,
  readiness: { path: '/health', timeout: '2500ms' },
});

const command = workload({
  runtime: 'command',
  args: ['node', 'server.cjs', '--port', '${PORT}'],
  readiness: { path: '/healthz' },
});

test('the user of pods is that of the image', () => {
  expect(USER).toBe(IMAGE_USER);
});

describe('golden manifests', () => {
  test('a revision on our server, with an artifact', () => {
    expect(template(onnx)).toEqual(golden('onnx-revision'));
  });

  test('an image, as given', () => {
    expect(template(image)).toEqual(golden('image-revision'));
  });

  test('a program on our image, without content', () => {
    expect(template(command)).toEqual(golden('command-revision'));
  });

  test('a model: its Service with owner, split, tag, and a revision that is only kept reachable', () => {
    const service = makeService({
      namespace: 'shop',
      model: 'digits',
      template: template(onnx),
      traffic: makeTraffic({
        model: 'digits',
        targets: [
          { revision: 'v1', percent: 90 },
          { revision: 'v2', percent: 10, tag: 'canary' },
        ],
        kept: ['v2', 'v0'],
        nameOf: (revision) => `digits-${revision}-0123456789`,
      }),
      artifactsUrl: SERVERS.artifactsUrl,
      owner: {
        apiVersion: 'rouse.dev/v1alpha1',
        kind: 'Model',
        name: 'digits',
        uid: '7d9c1d6e-0000-4000-8000-000000000001',
      },
      uid: '7d9c1d6e-0000-4000-8000-000000000002',
    });
    expect(service).toEqual(golden('service'));
  });
});

/** What is sent, in full. A change here is a change of what runs in clusters. */
function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8'));
}

describe('what a revision says', () => {
  test('a program that speaks gRPC has an h2c port and a gRPC probe', () => {
    const [container] = template(
      workload({ runtime: 'image', source: 'x/y:1', readiness: { grpc: true } }),
    ).spec.containers;
    expect(container?.ports).toEqual([{ name: 'h2c', containerPort: 8080 }]);
    expect(container?.readinessProbe).toEqual({ grpc: { port: 8080, service: '' } });
  });

  test('its pods are counted by Knative, or by a HorizontalPodAutoscaler that follows our metric', () => {
    const annotationsOf = (autoscaler?: 'kpa' | 'hpa') => {
      const made = workload({
        runtime: 'image',
        source: 'x/y:1',
        ...(autoscaler && { autoscaler }),
      });
      return template(made).metadata.annotations;
    };
    const own = 'autoscaling.knative.dev';
    expect(annotationsOf()).toEqual(annotationsOf('kpa'));
    expect(annotationsOf()).toMatchObject({ [`${own}/class`]: `kpa.${own}` });
    expect(annotationsOf()).not.toHaveProperty([`${own}/metric`]);
    expect(annotationsOf('hpa')).toEqual({
      ...annotationsOf(),
      [`${own}/class`]: `hpa.${own}`,
      [`${own}/metric`]: 'rouse_wanted_instances',
      [`${own}/target`]: '1',
      [`${own}/window`]: '6s',
    });
  });

  test('without a path Knative asks whether the port is open', () => {
    const [container] = template(workload({ runtime: 'image', source: 'x/y:1' })).spec.containers;
    expect(container).not.toHaveProperty('readinessProbe');
  });

  test('of content that inspection has changed, the changed one is fetched', () => {
    const served = { digest: 'cd'.repeat(32), size: 7, name: 'served.onnx', kind: 'file' } as const;
    const inspection = { platform: 'x', inputs: [], outputs: [], properties: {}, served };
    const [container] = template({ ...onnx, inspection }).spec.containers;
    const value = JSON.stringify(served);
    expect(container?.env).toContainEqual({ name: 'ROUSE_ARTIFACT', value });
  });

  test.each([
    [{}, { timeoutSeconds: 600, responseStartTimeoutSeconds: 360 }],
    [
      { hold: '1ms', run: '1ms' },
      { timeoutSeconds: 600, responseStartTimeoutSeconds: 1 },
    ],
    [{ total: '30s' }, { timeoutSeconds: 30, responseStartTimeoutSeconds: 30 }],
    [{ total: '2h' }, { timeoutSeconds: 600, responseStartTimeoutSeconds: 360 }],
    [
      { hold: '299s', run: '301s' },
      { timeoutSeconds: 600, responseStartTimeoutSeconds: 600 },
    ],
  ])('timeouts %o are %o', (timeouts, expected) => {
    const { spec } = template(workload({ runtime: 'image', source: 'x/y:1', timeouts }));
    expect(spec).toMatchObject(expected);
    expect(spec).not.toHaveProperty('idleTimeoutSeconds');
  });
});

describe('what a cluster cannot do is refused', () => {
  test('timeouts that are too long, with both numbers', () => {
    const made = workload({ runtime: 'image', source: 'x/y:1', timeouts: { run: '10m' } });
    expect(() => template(made)).toThrow(/hold 60s and run 10m are 11m together.* allows 10m/);
    const limits = { ...DEFAULT_LIMITS, timeoutSeconds: 660 };
    expect(template(made, limits).spec.responseStartTimeoutSeconds).toBe(660);
  });

  test('a concurrency above the limit', () => {
    const made = workload({ runtime: 'image', source: 'x/y:1', concurrency: 1001 });
    expect(() => template(made)).toThrow(/concurrency 1001; this cluster allows 1000/);
  });

  test('a program that wants a socket, and a model whose content is not stored', () => {
    const args = ['./server', '${LISTEN_FD}'];
    expect(() => template(workload({ runtime: 'command', args }))).toThrow(
      'args name ${LISTEN_FD}, which a pod does not have: use ${PORT}',
    );
    expect(() => template(workload({ runtime: 'onnx', source: './a.onnx' }))).toThrow(
      'needs a stored source',
    );
  });

  test.each([
    ['2nd', /begins with a letter/],
    ['c'.repeat(60), /has 67 characters; a host name's label has at most 63/],
  ])('tag %s', (tag, message) => {
    const targets = [{ revision: 'v1', percent: 100, tag }];
    const nameOf = (revision: string): string => revision;
    expect(() => makeTraffic({ model: 'digits', targets, kept: [], nameOf })).toThrow(message);
  });
});

test('a name changes with whatever a user can say of a revision, and with nothing else', () => {
  const name = revisionName(onnx);
  const { spec, artifact } = onnx;
  expect(revisionName({ ...onnx, spec: structuredClone(spec) })).toBe(name);
  const reordered = Object.fromEntries(Object.entries(spec).toReversed()) as typeof spec;
  expect(revisionName({ ...onnx, spec: reordered })).toBe(name);
  const others = [
    { ...onnx, key: 'shop/digits/v3' },
    { ...onnx, key: 'work/digits/v2' },
    { ...onnx, spec: { ...spec, concurrency: 5 } },
    { ...onnx, artifact: artifact && { ...artifact, digest: 'ef'.repeat(32) } },
  ];
  expect(new Set([name, ...others.map((each) => revisionName(each as Workload))]).size).toBe(5);
});
