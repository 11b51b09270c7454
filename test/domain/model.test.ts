import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { modelDocument, type ModelInput, modelSpec } from '#domain/model.ts';
import { MAX_PROBLEMS, parseModel } from '#domain/parse.ts';
import { Fault } from '#lib/fault.ts';
import { changed, makeFullModel, makeSmallModel, pathsOf } from './model-file.ts';

test('the smallest file gets the documented defaults', () => {
  const { metadata, spec } = parseModel(makeSmallModel());
  expect(metadata.namespace).toBe('default');
  expect(spec).toEqual({
    revision: {
      runtime: 'onnx',
      source: './digits.onnx',
      args: [],
      env: {},
      concurrency: 8,
      resources: { gpu: 0 },
      readiness: { timeout: 60_000 },
      timeouts: { hold: 60_000, run: 300_000, idle: 0, drain: 30_000 },
      retry: 'never',
    },
    scaling: {
      min: 0,
      max: 4,
      initial: 1,
      target: 0.7,
      signals: [],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          policies: [],
          selectPolicy: 'Max',
          tolerance: 0.1,
        },
        scaleDown: {
          stabilizationWindowSeconds: 30,
          policies: [],
          selectPolicy: 'Max',
          tolerance: 0.1,
        },
      },
      dryRun: false,
      weight: 1,
      priority: 0,
    },
    keepAlive: { policy: 'adaptive' },
    queue: { requests: 10_000, bytes: 67_108_864 },
  });
});

test('the fullest file is read, too', () => {
  const { revision, traffic } = parseModel(makeFullModel()).spec;
  expect(revision?.resources).toEqual({
    memory: 268_435_456,
    cpu: 0.5,
    gpu: 0,
    limits: { memory: 1_073_741_824, cpu: 2 },
  });
  expect(traffic?.[1]).toEqual({ latest: true, percent: 10, tag: 'canary' });
  const match = { header: 'X-Group', values: ['beta', 'staff'] };
  expect(traffic?.[2]).toEqual({ latest: true, percent: 0, match });
});

test.each([
  [{ signal: 'cpu' }, 'target: nothing: a target: signal cpu needs one'],
  [{ signal: 'latency', target: 200 }, 'target: 200: a duration such as 200ms: latency is a time'],
  [{ signal: 'cpu', target: '200ms' }, 'target: "200ms": a number: cpu is no time'],
  [
    { signal: 'latency', target: 'soon' },
    'target: "soon": a duration such as 500ms, 30s, 5m, 1h or 2d',
  ],
  [{ signal: 'prometheus', target: 1 }, 'query: nothing: a query'],
  [{ signal: 'cpu', target: 1, query: 'up' }, 'query: "up": no query: only prometheus has one'],
  [{ signal: 'custom', target: 1 }, 'measure: nothing: the name of a measure'],
  [{ signal: 'cpu', target: 1, measure: 'a' }, 'measure: "a": no measure: only custom has one'],
  [
    { signal: 'cpu', target: 1, type: 'Value' },
    'type: "Value": no type: only prometheus and custom have one',
  ],
] as const)('a signal that says nothing is refused: %j', (signal, problem) => {
  const scaling = { signals: [{ ...signal }] };
  expect(problems(makeSmallModel({ scaling }))).toEqual([`spec.scaling.signals[0].${problem}`]);
});

test('requests at once need no target: it is that of the model', () => {
  const scaling = { signals: [{ signal: 'concurrency' as const }] };
  expect(problems(makeSmallModel({ scaling }))).toEqual([]);
});

test('a block of a HorizontalPodAutoscaler is taken as it is', () => {
  const behavior = {
    scaleUp: {
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max' as const,
      policies: [
        { type: 'Percent' as const, value: 100, periodSeconds: 15 },
        { type: 'Pods' as const, value: 4, periodSeconds: 15 },
      ],
    },
    scaleDown: { stabilizationWindowSeconds: 300, selectPolicy: 'Disabled' as const, tolerance: 0 },
  };
  const { scaling } = parseModel(makeSmallModel({ scaling: { behavior } })).spec;
  expect(scaling.behavior).toMatchObject(behavior);
});

test('times in which it is kept: each problem with its place and what would be right', () => {
  const row = { cron: '0 8 * * MON-FRI', timeZone: 'Europe/Berlin', duration: '10h' };
  const withRows = (...schedules: object[]): unknown =>
    makeSmallModel({ keepAlive: { policy: 'adaptive', schedules: schedules as never } });
  expect(parseModel(withRows(row)).spec.keepAlive.schedules).toEqual([
    { ...row, duration: 36_000_000, min: 1 },
  ]);
  expect(
    problems(
      withRows(
        { ...row, cron: '0 25 * * *' },
        { ...row, timeZone: 'Mars/Olympus' },
        { ...row, duration: '30s' },
        { ...row, min: 5 },
        { cron: '@daily' },
      ),
    ),
  ).toEqual([
    'spec.keepAlive.schedules[0].cron: "0 25 * * *": hour "25": expected 0–23, a list, a range, or * with a step',
    'spec.keepAlive.schedules[1].timeZone: "Mars/Olympus": a time zone such as Europe/Berlin',
    'spec.keepAlive.schedules[2].duration: "30s": at least 1m',
    'spec.keepAlive.schedules[4].duration: nothing: a duration such as 500ms, 30s, 5m, 1h or 2d',
    'spec.keepAlive.schedules[3].min: 5: at most scaling.max, which is 4',
  ]);
});

test('what can never work is refused: parking elsewhere, gRPC readiness of our own servers', () => {
  const park = { policy: 'fixed', park: '10m' } as const;
  const url = { runtime: 'url', source: 'http://a.example' } as const;
  const command = { runtime: 'command' as const, args: ['./server'] };
  expect(problems(makeSmallModel({ revision: url, keepAlive: park }))).toEqual([
    'spec.keepAlive.park: "10m": no park: what runs elsewhere (runtime url) cannot be frozen',
  ]);
  const mixed = [
    { name: 'a', ...url },
    { name: 'b', ...command },
  ];
  const { revision: _, ...rest } = makeSmallModel().spec;
  const spec = { ...rest, revisions: mixed, keepAlive: park };
  expect(problems({ ...makeSmallModel(), spec })).toEqual([]);
  expect(problems(makeSmallModel({ revision: url, keepAlive: { ...park, park: '0s' } }))).toEqual(
    [],
  );
  const readiness = { grpc: true };
  for (const runtime of ['onnx', 'function', 'python'] as const) {
    const revision = { runtime, source: './m', readiness };
    expect(problems(makeSmallModel({ revision }))).toEqual([
      `spec.revision.readiness.grpc: true: no grpc: a model of runtime ${runtime} is asked by HTTP`,
    ]);
  }
  expect(problems(makeSmallModel({ revision: { ...command, readiness } }))).toEqual([]);
});

/** What of the file is wrong, as `key: value: expected`. */
function problems(input: unknown): string[] {
  try {
    parseModel(input);
    return [];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.code).toBe('invalid');
    return error.problems.map(({ key, value, expected }) => `${key}: ${value}: ${expected}`);
  }
}

const NAME = 'lower-case letters, digits and dashes, at most 63, no dash at either end';

describe('each wrong value is told with its key, itself, and what would be right', () => {
  test.each<[(string | number)[], unknown, string]>([
    [['apiVersion'], 'v1', 'apiVersion: "v1": "rouse.dev/v1alpha1"'],
    [['kind'], 'Modell', 'kind: "Modell": "Model"'],
    [['metadata', 'name'], 'Digits', `metadata.name: "Digits": ${NAME}`],
    [['metadata', 'name'], undefined, `metadata.name: nothing: ${NAME}`],
    [['metadata', 'labels', 'team'], 5, 'metadata.labels.team: 5: a text'],
    [
      ['spec', 'revision', 'name'],
      'latest',
      'spec.revision.name: "latest": another name: "latest" stands for the newest ready revision',
    ],
    [
      ['spec', 'revision', 'runtime'],
      'onxx',
      'spec.revision.runtime: "onxx": one of onnx, function, python, command, image, url',
    ],
    [['spec', 'revision', 'source'], '', 'spec.revision.source: "": at least 1 characters'],
    [['spec', 'revision', 'args'], 'run', 'spec.revision.args: "run": a list'],
    [
      ['spec', 'revision', 'args'],
      [],
      'spec.revision.args: []: the program and its arguments, such as ["./server", "--port", "${PORT}"]',
    ],
    [
      ['spec', 'revision', 'env', 'LOG_LEVEL'],
      5,
      'spec.revision.env.LOG_LEVEL: 5: a text or { secret: NAME }',
    ],
    [
      ['spec', 'revision', 'env', 'API_KEY'],
      { secret: 'A' },
      `spec.revision.env.API_KEY.secret: "A": ${NAME}`,
    ],
    [['spec', 'revision', 'env', '1A'], 'x', 'spec.revision.env.1A: "x": a name such as LOG_LEVEL'],
    [['spec', 'revision', 'concurrency'], -1, 'spec.revision.concurrency: -1: at least 0'],
    [['spec', 'revision', 'concurrency'], 1.5, 'spec.revision.concurrency: 1.5: a whole number'],
    [['spec', 'revision', 'concurrency'], '8', 'spec.revision.concurrency: "8": a number'],
    [
      ['spec', 'revision', 'resources', 'memory'],
      '256MB',
      'spec.revision.resources.memory: "256MB": a size such as 64Mi or 2G',
    ],
    [
      ['spec', 'revision', 'resources', 'cpu'],
      'two',
      'spec.revision.resources.cpu: "two": a number of cores such as 500m or 2',
    ],
    [['spec', 'revision', 'resources', 'gpu'], 65, 'spec.revision.resources.gpu: 65: at most 64'],
    [
      ['spec', 'revision', 'readiness', 'path'],
      'ready',
      'spec.revision.readiness.path: "ready": a path such as /healthz',
    ],
    [
      ['spec', 'revision', 'timeouts', 'hold'],
      60,
      'spec.revision.timeouts.hold: 60: a duration such as 500ms, 30s, 5m, 1h or 2d',
    ],
    [
      ['spec', 'revision', 'timeouts', 'run'],
      '600h',
      'spec.revision.timeouts.run: "600h": a duration of at most 24d',
    ],
    [['spec', 'revision', 'retry'], 'always', 'spec.revision.retry: "always": one of never, safe'],
    [['spec', 'traffic'], [], 'spec.traffic: []: at least 1 entries'],
    [
      ['spec', 'traffic', 0, 'percent'],
      80,
      'spec.traffic: [{"revision":"v1","percent":80},{"latest":true,"percent":10,"tag":"canary"},{"la…: percentages that sum to 100, not 90',
    ],
    [
      ['spec', 'traffic', 2, 'percent'],
      5,
      'spec.traffic[2].percent: 5: no percent: all that match go there; a share of the others is another row',
    ],
    [
      ['spec', 'traffic', 0, 'match'],
      { header: 'x-group', values: ['staff'] },
      'spec.traffic[2].match.values[1]: "staff": a value of X-Group used only once',
    ],
    [
      ['spec', 'traffic', 2, 'match', 'values'],
      ['a ', 'b'],
      'spec.traffic[2].match.values[0]: "a ": the value of a header, in ASCII',
    ],
    [
      ['spec', 'traffic', 2, 'match', 'header'],
      'X Group',
      'spec.traffic[2].match.header: "X Group": a header name',
    ],
    [
      ['spec', 'traffic', 0, 'latest'],
      true,
      'spec.traffic[0].revision: "v1": either a revision name or `latest: true`',
    ],
    [['spec', 'traffic', 1, 'latest'], false, 'spec.traffic[1].latest: false: true'],
    [
      ['spec', 'traffic', 0, 'tag'],
      'canary',
      'spec.traffic[1].tag: "canary": a tag used only once',
    ],
    [
      ['spec', 'sticky', 'cookie'],
      'id',
      'spec.sticky: {"header":"X-User","cookie":"id"}: exactly one of header and cookie',
    ],
    [['spec', 'scaling', 'min'], 5, 'spec.scaling.min: 5: at most max, which is 4'],
    [['spec', 'scaling', 'max'], 0, 'spec.scaling.max: 0: at least 1'],
    [['spec', 'scaling', 'target'], 0, 'spec.scaling.target: 0: more than 0'],
    [
      ['spec', 'keepAlive'],
      { policy: 'adaptive', park: '10m' },
      'spec.keepAlive.park: "10m": no such key here; park goes with policy fixed',
    ],
    [['spec', 'queue', 'requests'], 0, 'spec.queue.requests: 0: at least 1'],
    [['spec', 'scaling'], null, 'spec.scaling: null: keys and values'],
    [
      ['spec', 'selection'],
      { strategy: 'manual', schedule: { every: '1h' } },
      'spec.selection.schedule: {"every":"1h"}: no such key here; schedule goes with strategy dataDriven, accuracyDriven, periodicBest, threshold',
    ],
    [
      ['spec', 'keepAlive', 'policy'],
      'forever',
      'spec.keepAlive.policy: "forever": one of adaptive, fixed',
    ],
    [['spec', 'queue', 'requests'], Number.NaN, 'spec.queue.requests: NaN: a number'],
    [
      ['spec', 'revisions'],
      [{ runtime: 'onnx', source: 'a' }],
      'spec.revisions[0].name: nothing: a name of its own for each revision of the list',
    ],
  ])('%j = %j', (path, value, expected) => {
    expect(problems(changed(makeFullModel(), path, value))).toContain(expected);
  });
});

/** The first dozen, as a reader can take in. */
function listed(keys: readonly string[]): string {
  return keys.slice(0, 12).join(', ') + (keys.length > 12 ? ', …' : '');
}

describe('a key that does not exist', () => {
  test.each<[(string | number)[], string]>([
    [['spec', 'trafic'], 'no such key; did you mean traffic?'],
    [['spec', 'keep_alive'], 'no such key; did you mean keepAlive?'],
    [['spec', 'keep-alive'], 'no such key; did you mean keepAlive?'],
    [['metadata', 'nmae'], 'no such key; did you mean name?'],
    [['spec', 'revision', 'resources', 'limits', 'mem'], 'no such key; there are memory, cpu'],
    [['spec', 'traffic', 0, 'precent'], 'no such key; did you mean percent?'],
    [['spec', 'keepAlive', 'idel'], 'no such key; did you mean idle?'],
    [['spec', 'revision', 'env', 'API_KEY', 'secert'], 'no such key; did you mean secret?'],
    [['spec', 'concurrency'], 'no such key here; it is spec.revision.concurrency'],
    [['spec', 'revision', 'tag'], 'no such key here; it is spec.traffic[].tag'],
    [['name'], 'no such key here; it is metadata.name'],
    [['spec', 'queue', 'zzzzzzzz'], 'no such key; there are requests, bytes'],
    [['spec', 'constructor'], `no such key; there are ${listed(Object.keys(modelSpec.shape))}`],
  ])('%j', (path, expected) => {
    const found = problems(changed(makeFullModel(), path, 'x'));
    expect(
      found.some((line) => line.endsWith(expected)),
      found.join('\n'),
    ).toBe(true);
  });
});

test('all problems of a file at once, those of rules over several keys included', () => {
  const found = problems({
    ...makeSmallModel({
      traffic: [{ revision: 'v1', percent: 60 }],
      scaling: { min: 9 },
      revision: { runtime: 'onnx', concurrency: -1 },
    }),
    extra: 1,
  });
  expect(new Set(found.map((line) => line.split(':')[0]))).toEqual(
    new Set([
      'extra',
      'spec.revision.concurrency',
      'spec.revision.source',
      'spec.scaling.min',
      'spec.traffic',
    ]),
  );
});

test('of very many wrong keys some are told, and the others counted', () => {
  const count = 50_000;
  const wrong = Object.fromEntries(Array.from({ length: count }, (_, i) => [`wrong${i}`, i]));
  try {
    parseModel({ ...makeSmallModel(), ...wrong });
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.problems).toHaveLength(MAX_PROBLEMS);
    expect(error.message).toMatch(`model has ${count} problems:`);
    expect(error.message.split('\n').at(-1)).toBe(`  and ${count - MAX_PROBLEMS} more`);
  }
});

test('what is nested too deep, or holds itself, is refused', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  let deep: unknown = 'x';
  for (let level = 0; level < 50_000; level += 1) deep = { in: deep };
  for (const input of [circle, deep, { ...makeSmallModel(), extra: deep }]) {
    expect(problems(input)).toEqual([': more than 64 levels: at most 64']);
  }
});

test('a key that schemas leave out unread is refused', () => {
  const input: unknown = JSON.parse(
    '{"kind":"Model","spec":{"revision":{"environment":[{"A":"1","__proto__":{"x":1}}]}}}',
  );
  expect(problems(input)).toEqual([
    'spec.revision.environment[0].__proto__: {"x":1}: another name',
  ]);
});

test('a key of any length is told in a short line', () => {
  for (const line of problems(makeSmallModel({ ['x'.repeat(100_000)]: 1 }))) {
    expect(line.length).toBeLessThan(600);
  }
});

test('whatever is given is parsed or refused with a Fault that names keys', () => {
  fc.assert(
    fc.property(fc.anything(), (input) => {
      for (const line of problems(input)) expect(line).toContain(': ');
    }),
  );
});

/** Other values for any place of a file. */
const oddValue = fc.oneof(
  fc.constantFrom(undefined, null, true, -1, 0, 1.5, 101, '', 'x', 'A B', '5s', '64Mi', [], {}, [
    {},
  ]),
  // As text, since -0 is written as 0. `__proto__` has a rule of its own, which the JSON Schema does not know.
  fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text.replaceAll('__proto__', 'p'))),
);
const mutation = fc
  .constantFrom(...pathsOf(makeFullModel()).filter((path) => path.length > 0))
  .chain((path) => oddValue.map((value) => changed(makeFullModel(), path, value)));

test('each problem of a changed file names a place at, above or beside the change', () => {
  fc.assert(
    fc.property(mutation, (input) => {
      for (const line of problems(input)) {
        expect(line).toMatch(/^(apiVersion|kind|metadata|spec|\(document\))/);
      }
    }),
    { numRuns: 500 },
  );
});

describe('the JSON Schema that editors use', () => {
  const schema = z.toJSONSchema(modelDocument, { io: 'input' });
  const accepts = new Ajv2020({ strict: false, allErrors: true }).compile(schema);

  test('takes what is right', () => {
    for (const model of [makeFullModel(), makeSmallModel()]) {
      expect(accepts(model), JSON.stringify(accepts.errors)).toBe(true);
    }
  });

  test('never refuses what Rouse takes', () => {
    fc.assert(
      fc.property(mutation, (input) => {
        if (problems(input).length > 0) return;
        expect(accepts(input), JSON.stringify(accepts.errors)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('refuses what Rouse refuses, except for rules over several keys', () => {
    // JSON Schema cannot say these.
    const rules =
      /sum to 100|used only once|either|exactly one|at most max|of its own|needs one|the program|http|another name|at most 24d|a time|no time|a query|no query|a measure|no measure|no type|at least 1[ms]|from 15m/;
    fc.assert(
      fc.property(mutation, (input) => {
        const found = problems(input).filter((line) => !rules.test(line));
        if (found.length > 0) expect(accepts(input), found.join('\n')).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

test('what is written back is read as the same', () => {
  fc.assert(
    fc.property(mutation, (input) => {
      const first = modelDocument.safeParse(input);
      if (!first.success) return;
      const again: ModelInput = JSON.parse(JSON.stringify(input));
      expect(modelDocument.parse(again)).toEqual(first.data);
    }),
  );
});
