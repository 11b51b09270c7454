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
      },
      traffic: [
        { revision: 'v1', percent: 90 },
        { latest: true, percent: 10, tag: 'canary' },
      ],
      sticky: { header: 'X-User' },
      scaling: { min: 0, max: 4, initial: 1, target: 0.7 },
      keepAlive: { policy: 'fixed', idle: '60s' },
      queue: { requests: 10_000, bytes: '64Mi' },
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
