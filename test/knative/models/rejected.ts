import { changed, makeFullModel, makeSmallModel } from '#test/domain/model-file.ts';

/** A model file that the API server refuses by what the definition of Models says, and Rouse as well. */
export interface Rejected {
  readonly document: unknown;
  /** Where the mistake is, for the API server; for Rouse there or below. */
  readonly key: string;
  /** Of a rule: how its message begins. For bounds and types each has words of its own. */
  readonly message?: string;
}

type Path = readonly (string | number)[];

const url = { runtime: 'url', source: 'http://a.example' } as const;
const two = (first: object, second: object): unknown => ({
  ...makeSmallModel(),
  spec: { revisions: [first, second] },
});

/** The fullest file with another value. */
function full(path: Path, value: unknown, key: string, message?: string): Rejected {
  return rejected(changed(makeFullModel(), path, value), key, message);
}

function small(path: Path, value: unknown, key: string, message?: string): Rejected {
  return rejected(changed(makeSmallModel(), path, value), key, message);
}

function rejected(document: unknown, key: string, message?: string): Rejected {
  return { document, key, ...(message !== undefined && { message }) };
}

const NOT_LATEST = 'another name: "latest" stands for the newest ready revision';
const ONE_AT_LEAST = 'at least 1: autoscaler hpa keeps one instance';
const OWN_NAME = 'a name of its own for each revision of the list';

export const REJECTED: readonly Rejected[] = [
  full(['metadata', 'name'], 'a.b', 'metadata.name'),
  full(['spec', 'revision', 'runtime'], 'onxx', 'spec.revision.runtime'),
  full(['spec', 'revision', 'runtime'], undefined, 'spec.revision.runtime'),
  full(['spec', 'revision', 'name'], 'V 1', 'spec.revision.name'),
  full(['spec', 'revision', 'name'], 'latest', 'spec.revision.name', NOT_LATEST),
  full(['spec', 'revision', 'source'], '', 'spec.revision.source'),
  full(['spec', 'revision', 'args'], 'run', 'spec.revision.args'),
  full(['spec', 'revision', 'args'], [], 'spec.revision.args', 'the program and its arguments'),
  full(['spec', 'revision', 'env', 'API_KEY'], { secret: 'A' }, 'spec.revision.env.API_KEY.secret'),
  full(['spec', 'revision', 'env', 'API_KEY'], {}, 'spec.revision.env.API_KEY.secret'),
  full(['spec', 'revision', 'concurrency'], -1, 'spec.revision.concurrency'),
  full(['spec', 'revision', 'concurrency'], 1.5, 'spec.revision.concurrency'),
  full(['spec', 'revision', 'resources', 'memory'], '256MB', 'spec.revision.resources.memory'),
  full(['spec', 'revision', 'resources', 'memory'], 0.5, 'spec.revision.resources.memory'),
  full(['spec', 'revision', 'resources', 'cpu'], 'two', 'spec.revision.resources.cpu'),
  full(['spec', 'revision', 'resources', 'cpu'], 10_000, 'spec.revision.resources.cpu'),
  full(['spec', 'revision', 'resources', 'gpu'], 65, 'spec.revision.resources.gpu'),
  full(['spec', 'revision', 'autoscaler'], 'vpa', 'spec.revision.autoscaler'),
  full(['spec', 'revision', 'autoscaler'], 'hpa', 'spec.scaling.min', ONE_AT_LEAST),
  rejected(
    two({ ...url, name: 'v1' }, { ...url, name: 'v2', autoscaler: 'hpa' }),
    'spec.scaling.min',
    ONE_AT_LEAST,
  ),
  full(['spec', 'revision', 'readiness', 'path'], 'ready', 'spec.revision.readiness.path'),
  full(
    ['spec', 'revision', 'readiness', 'grpc'],
    true,
    'spec.revision.readiness.grpc',
    'either a path to ask by HTTP, or gRPC, not both',
  ),
  full(['spec', 'revision', 'timeouts', 'hold'], 60, 'spec.revision.timeouts.hold'),
  full(['spec', 'revision', 'timeouts', 'run'], '1 day', 'spec.revision.timeouts.run'),
  full(['spec', 'revision', 'retry'], 'always', 'spec.revision.retry'),
  full(['spec', 'traffic'], [], 'spec.traffic'),
  full(['spec', 'traffic', 0, 'percent'], 80, 'spec.traffic', 'percentages that sum to 100'),
  full(
    ['spec', 'traffic', 0, 'latest'],
    true,
    'spec.traffic[0].revision',
    'either a revision name or `latest: true`',
  ),
  full(
    ['spec', 'traffic', 2, 'percent'],
    5,
    'spec.traffic[2].percent',
    'no percent: all that match',
  ),
  full(['spec', 'traffic', 2, 'match', 'values'], [], 'spec.traffic[2].match.values'),
  full(['spec', 'traffic', 1, 'latest'], false, 'spec.traffic[1].latest'),
  full(['spec', 'traffic', 0, 'tag'], 'canary', 'spec.traffic', 'a tag used only once'),
  full(['spec', 'traffic', 0, 'revision'], 'latest', 'spec.traffic[0].revision', NOT_LATEST),
  full(['spec', 'shadow', 'revision'], 'latest', 'spec.shadow.revision', NOT_LATEST),
  full(['spec', 'shadow', 'percent'], 0, 'spec.shadow.percent'),
  full(['spec', 'sticky', 'cookie'], 'id', 'spec.sticky', 'exactly one of header and cookie'),
  full(['spec', 'sticky'], {}, 'spec.sticky', 'exactly one of header and cookie'),
  full(['spec', 'scaling', 'min'], 5, 'spec.scaling.min', 'at most max'),
  full(['spec', 'scaling', 'initial'], 5, 'spec.scaling.initial', 'at most max'),
  full(['spec', 'scaling', 'max'], 0, 'spec.scaling.max'),
  full(['spec', 'scaling', 'target'], 0, 'spec.scaling.target'),
  full(['spec', 'queue', 'requests'], 0, 'spec.queue.requests'),
  full(['spec', 'keepAlive', 'policy'], 'forever', 'spec.keepAlive.policy'),
  full(
    ['spec', 'keepAlive'],
    { policy: 'adaptive', idle: '10m' },
    'spec.keepAlive.idle',
    'no such key here; idle goes with policy fixed',
  ),
  full(
    ['spec', 'keepAlive'],
    { policy: 'adaptive', park: '10m' },
    'spec.keepAlive.park',
    'no such key here; park goes with policy fixed',
  ),
  small(
    ['spec', 'revision', 'source'],
    undefined,
    'spec.revision.source',
    'a source: runtime onnx needs one',
  ),
  small(
    ['spec', 'revision'],
    { ...url, source: 'ftp://a.example' },
    'spec.revision.source',
    'an http:// or https:// address',
  ),
  small(
    ['spec', 'revision', 'readiness'],
    { grpc: true },
    'spec.revision.readiness.grpc',
    'no grpc: a model of runtime onnx is asked by HTTP',
  ),
  small(
    ['spec', 'revisions'],
    [{ name: 'v1', ...url }],
    'spec.revisions',
    'either `revision` or `revisions`, not both',
  ),
  rejected(two({ name: 'v1', ...url }, { name: 'v1', ...url }), 'spec.revisions', OWN_NAME),
  rejected(two({ name: 'v1', ...url }, url), 'spec.revisions', OWN_NAME),
  rejected(
    two({ name: 'v1', ...url }, { name: 'v2', runtime: 'onnx' }),
    'spec.revisions[1].source',
    'a source: runtime onnx needs one',
  ),
];
