import type { ModelInput } from '#domain/model.ts';

/** A model file that says everything that can be said. */
export function makeFullModel(): ModelInput {
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'digits', namespace: 'default', labels: { team: 'a' }, annotations: {} },
    spec: {
      revision: {
        name: 'v2',
        runtime: 'command',
        source: './server',
        args: ['./server', '--port', '${PORT}'],
        env: { LOG_LEVEL: 'info', API_KEY: { secret: 'openai' } },
        concurrency: 8,
        resources: { memory: '256Mi', cpu: '500m', gpu: 0, limits: { memory: '1Gi', cpu: 2 } },
        readiness: { path: '/v2/health/ready', timeout: '60s' },
        timeouts: { hold: '60s', run: '300s', idle: '0s', total: '1h', drain: '30s' },
        retry: 'never',
        autoscaler: 'kpa',
      },
      traffic: [
        { revision: 'v1', percent: 90 },
        { latest: true, percent: 10, tag: 'canary' },
        { latest: true, match: { header: 'X-Group', values: ['beta', 'staff'] } },
      ],
      sticky: { header: 'X-User' },
      shadow: { revision: 'v3', percent: 5, wake: false, tolerance: 0.01, ignore: ['id'] },
      scaling: {
        min: 0,
        max: 4,
        initial: 1,
        target: 0.7,
        signals: [
          { signal: 'cpu', target: 0.6, weight: 1 },
          { signal: 'latency', target: '200ms' },
          { signal: 'prometheus', target: 5, query: 'sum(backlog)', type: 'AverageValue' },
          { signal: 'custom', target: 5, measure: 'load', type: 'Value' },
        ],
        behavior: {
          scaleUp: {
            stabilizationWindowSeconds: 0,
            policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
            selectPolicy: 'Max',
            tolerance: 0.1,
          },
        },
        dryRun: false,
        weight: 2,
        priority: 1,
      },
      keepAlive: { policy: 'fixed', idle: '60s' },
      rollout: {
        strategy: 'canary',
        shadow: 20,
        steps: [5, 25, 50],
        interval: '1m',
        minSamples: 100,
        metrics: [
          { metric: 'success', margin: 0.01, atLeast: 0.99 },
          { metric: 'latency', percentile: 95, ratio: 1.25, atMost: '300ms' },
          { metric: 'custom', measure: 'accuracy', goal: 'higher', margin: 0.03, bound: 0.9 },
          { metric: 'cost', ratio: 1.25 },
          {
            metric: 'prometheus',
            query: 'sum(errors{revision="${revision}"})',
            goal: 'lower',
            margin: 0.5,
            minSamples: 30,
          },
          {
            metric: 'hook',
            url: 'https://judge.example/score',
            goal: 'higher',
            margin: 0.02,
            minSamples: 30,
          },
        ],
      },
      queue: { requests: 10_000, bytes: '64Mi' },
      selection: {
        strategy: 'dataDriven',
        candidates: ['v1', 'v2'],
        schedule: { cron: '0 3 * * MON-FRI', timeZone: 'Europe/Berlin' },
        change: 'lowTraffic',
        lowTraffic: { length: '2h', wait: '48h' },
        newData: { measure: 'rows', amount: 5000 },
        features: ['input.age'],
        psi: 0.25,
        ks: 0.1,
        reference: '168h',
        window: '24h',
        minSamples: 200,
        score: { measure: 'accuracy', goal: 'higher' },
      },
    },
  };
}

/** The smallest one. */
export function makeSmallModel(spec: Partial<ModelInput['spec']> = {}): ModelInput {
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'digits' },
    spec: { revision: { runtime: 'onnx', source: './digits.onnx' }, ...spec },
  };
}

type Path = readonly (string | number)[];

/** A copy with another value at `path`; undefined removes the key. */
export function changed(document: unknown, path: Path, value: unknown): unknown {
  const copy: unknown = structuredClone(document);
  const last = path.at(-1) ?? '';
  const parent = path.slice(0, -1).reduce<unknown>(valueOf, copy);
  if (typeof parent !== 'object' || parent === null) throw new Error(`no ${path.join('.')}`);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return copy;
}

/** Every path of a document, those of its inner nodes included. */
export function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  const below = Object.entries(value).flatMap(([key, child]) =>
    pathsOf(child, [...at, Array.isArray(value) ? Number(key) : key]),
  );
  return [at, ...below];
}

function valueOf(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
