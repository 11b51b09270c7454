import fc from 'fast-check';
import { modelDocument, RUNTIMES, type ModelInput } from '#domain/model.ts';

/** Model files of all kinds that Rouse takes. */

type Spec = ModelInput['spec'];

const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/);
const duration = fc.constantFrom('0', '0s', '500ms', '1.5s', '30s', '5m', '576h', '2d');
const size = fc.oneof(fc.constantFrom('64Mi', '2G', '0', '1.5Ki'), fc.nat());
const cpu = fc.oneof(
  fc.constantFrom('500m', '2', '0.125'),
  fc.double({ min: 0, max: 9999, noNaN: true }),
);
const text = fc.string({ maxLength: 20 });
const key = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/);
const some = <T>(model: Record<string, fc.Arbitrary<T>>) => fc.record(model, { requiredKeys: [] });

const revision = fc.record(
  {
    runtime: fc.constantFrom(...RUNTIMES),
    source: fc.constantFrom(
      './model.onnx',
      'https://a.example/model',
      `sha256:${'ab'.repeat(32)}`,
      'http://b.example:1/',
    ),
    name,
    args: fc.array(text, { minLength: 1, maxLength: 3 }),
    env: fc.dictionary(key, fc.oneof(text, fc.record({ secret: name })), { maxKeys: 3 }),
    concurrency: fc.nat(100_000),
    resources: some<unknown>({
      memory: size,
      cpu,
      gpu: fc.nat(64),
      limits: some<unknown>({ memory: size, cpu }),
    }),
    readiness: some<unknown>({ path: fc.constantFrom('/', '/healthz?a=b'), timeout: duration }),
    timeouts: some({
      hold: duration,
      run: duration,
      idle: duration,
      total: duration,
      drain: duration,
    }),
    retry: fc.constantFrom('never', 'safe'),
  },
  { requiredKeys: ['runtime', 'source', 'args'] },
);

const percents = fc.constantFrom([100], [90, 10], [0, 100, 0], [33, 33, 34]);
const traffic = fc
  .tuple(percents, fc.uniqueArray(name, { minLength: 3, maxLength: 3 }))
  .map(([shares, tags]) => {
    const rows: object[] = shares.map((percent, index) => ({
      ...(index === 0 ? { latest: true } : { revision: `v${index}` }),
      percent,
      ...(index > 0 && { tag: tags[index] }),
    }));
    return rows.concat(
      tags.map((tag) => ({ revision: 'v1', match: { header: 'X-Group', values: [tag] } })),
    );
  });

const spec = fc.record(
  {
    revision,
    traffic,
    sticky: fc.constantFrom({ header: 'X-User' }, { cookie: 'id_1' }),
    scaling: some<number>({
      min: fc.nat(4),
      max: fc.integer({ min: 4, max: 1000 }),
      initial: fc.nat(4),
      target: fc.double({ min: 0.01, max: 1, noNaN: true }),
    }),
    keepAlive: fc.oneof(
      fc.constant({ policy: 'adaptive' }),
      fc.record({ policy: fc.constant('fixed'), idle: duration }, { requiredKeys: ['policy'] }),
    ),
    queue: some<unknown>({ requests: fc.integer({ min: 1, max: 1_000_000 }), bytes: size }),
    selection: fc.constantFrom<Spec['selection']>(
      undefined,
      { strategy: 'manual', candidates: ['v1'] },
      { strategy: 'periodicBest', schedule: { every: '30s' }, margin: 0.1, window: '24h' },
      { strategy: 'accuracyDriven', bound: -0.5, hysteresis: 2, goal: 'lower', change: 'now' },
      { strategy: 'threshold', measure: 'usage.requests', above: 5, to: 'v2', otherwise: 'v1' },
      { strategy: 'dataDriven', features: ['a'], score: { measure: 'b' }, lowTraffic: {} },
    ),
  },
  { requiredKeys: ['revision'] },
);
const several = fc.tuple(spec, fc.uniqueArray(name, { minLength: 1, maxLength: 4 })).map(nameEach);

export const modelFiles: fc.Arbitrary<ModelInput> = fc
  .tuple(name, fc.oneof(spec, several))
  .map(([model, made]) => ({
    apiVersion: 'rouse.dev/v1alpha1' as const,
    kind: 'Model' as const,
    metadata: { name: model },
    spec: made as Spec,
  }))
  .filter((document) => modelDocument.safeParse(document).success);

function nameEach([{ revision: one, ...rest }, names]: [{ revision: object }, string[]]): object {
  return { ...rest, revisions: names.map((each) => Object.assign({}, one, { name: each })) };
}
