import { describe, expect, test } from 'vitest';
import { readRouteProblem, readStatus, type KnativeStatus } from '#knative/runtime/status.ts';
import type {
  Condition,
  KnativeRevision,
  KnativeService,
  PodAutoscaler,
} from '#knative/api/objects.ts';

const SINCE = '2030-01-01T00:00:09Z';

function no(type: string, reason: string, message = ''): Condition {
  return { type, status: 'False', reason, message, lastTransitionTime: SINCE };
}

function unknown(type: string, reason: string): Condition {
  return { type, status: 'Unknown', reason };
}

function yes(type: string): Condition {
  return { type, status: 'True' };
}

function revision(...conditions: Condition[]): KnativeRevision {
  const metadata = { name: 'digits-v2-0', namespace: 'shop', generation: 1 };
  return { metadata, status: { observedGeneration: 1, conditions } };
}

function service(...conditions: Condition[]): KnativeService {
  const metadata = { name: 'digits', namespace: 'shop', generation: 2 };
  return { metadata, status: { observedGeneration: 2, conditions } };
}

function autoscaler(...conditions: Condition[]): PodAutoscaler {
  return { metadata: { name: 'digits-v2-0', namespace: 'shop' }, status: { conditions } };
}

interface Row {
  readonly name: string;
  readonly service?: KnativeService;
  readonly revision?: KnativeRevision;
  readonly autoscaler?: PodAutoscaler;
  readonly is: KnativeStatus;
}

const failed = (reason: string): KnativeStatus => ({ state: 'Failed', reason, since: SINCE });

const ROWS: readonly Row[] = [
  { name: 'nothing', is: { state: 'Preparing', reason: 'its Service is not made yet' } },
  {
    name: 'a new Service',
    service: service(unknown('ConfigurationsReady', '')),
    is: { state: 'Preparing', reason: 'Knative is making its Revision' },
  },
  {
    name: 'a Revision that a webhook denies',
    service: service(
      no(
        'ConfigurationsReady',
        'RevisionFailed',
        'Revision creation failed with message: admission webhook "validation.webhook.serving.knative.dev" denied the request: no.',
      ),
    ),
    is: failed(
      'Knative could not make it: Revision creation failed with message: admission webhook "validation.webhook.serving.knative.dev" denied the request: no.',
    ),
  },
  {
    name: 'a Service whose Configuration belongs to somebody else',
    service: service(
      no(
        'ConfigurationsReady',
        'NotOwned',
        'There is an existing Configuration "digits" that we do not own.',
      ),
    ),
    is: failed(
      'a name is taken by something that Rouse did not make: There is an existing Configuration "digits" that we do not own.',
    ),
  },
  {
    name: 'what is said of an older generation of a Service',
    service: {
      ...service(),
      status: {
        observedGeneration: 1,
        conditions: [no('ConfigurationsReady', 'RevisionFailed', 'old')],
      },
    },
    is: { state: 'Preparing', reason: 'Knative is making its Revision' },
  },
  {
    name: 'a Revision that nothing is said of yet',
    revision: revision(),
    is: { state: 'Proving', reason: 'it is starting' },
  },
  {
    name: 'an image that is looked up',
    revision: revision(unknown('Ready', 'ResolvingDigests')),
    is: { state: 'Proving', reason: 'its image is looked up' },
  },
  {
    name: 'a Revision that is being deployed',
    revision: revision(unknown('Ready', 'Deploying'), unknown('ResourcesAvailable', 'Deploying')),
    is: { state: 'Proving', reason: 'it is starting' },
  },
  {
    name: 'a Revision that runs',
    revision: revision(yes('Ready')),
    autoscaler: autoscaler(yes('Active')),
    is: { state: 'Ready', reason: 'it runs' },
  },
  {
    name: 'a Revision at zero',
    revision: revision(yes('Ready')),
    autoscaler: autoscaler(no('Active', 'NoTraffic', 'The target is not receiving traffic.')),
    is: { state: 'Ready', reason: 'it sleeps' },
  },
  {
    name: 'a Revision that is being roused',
    revision: revision(yes('Ready')),
    autoscaler: autoscaler(unknown('Active', 'Queued')),
    is: { state: 'Ready', reason: 'it is being roused' },
  },
  {
    name: 'a Revision that could not be roused',
    revision: revision(yes('Ready')),
    autoscaler: autoscaler(no('Active', 'TimedOut', 'The target could not be activated.')),
    is: { state: 'Ready', reason: 'it did not become ready when it was roused last' },
  },
  {
    name: 'an image that does not exist',
    revision: revision(
      no(
        'ContainerHealthy',
        'ContainerMissing',
        'Unable to fetch image "x/y:1": HEAD https://x/v2/y: 404 Not Found',
      ),
      no('Ready', 'ContainerMissing', 'Unable to fetch image "x/y:1"'),
    ),
    is: failed(
      'its image cannot be found: Unable to fetch image "x/y:1": HEAD https://x/v2/y: 404 Not Found',
    ),
  },
  {
    name: 'an image that cannot be pulled',
    revision: revision(
      no('ResourcesAvailable', 'ImagePullBackOff', 'Back-off pulling image "x/y:1"'),
      no('Ready', 'ImagePullBackOff', 'Back-off pulling image "x/y:1"'),
    ),
    is: failed('its image cannot be pulled: Back-off pulling image "x/y:1"'),
  },
  {
    name: 'a program that crashes',
    revision: revision(
      no('ContainerHealthy', 'ExitCode3', 'Container failed with: cannot open model\nmore'),
      unknown('ResourcesAvailable', 'Deploying'),
      no('Ready', 'ExitCode3', 'Container failed with: cannot open model'),
    ),
    is: failed('exited with status 3: cannot open model'),
  },
  {
    name: 'a secret that does not exist',
    revision: revision(
      no('ResourcesAvailable', 'CreateContainerConfigError', 'secret "openai" not found'),
      no('Ready', 'CreateContainerConfigError', 'secret "openai" not found'),
    ),
    is: failed('its container cannot be set up: secret "openai" not found'),
  },
  {
    name: 'no node with room',
    revision: revision(
      no('ResourcesAvailable', 'Unschedulable', '0/1 nodes are available: 1 Insufficient memory.'),
      no('Ready', 'Unschedulable', '0/1 nodes are available: 1 Insufficient memory.'),
    ),
    is: {
      state: 'Proving',
      reason: 'waits for room: 0/1 nodes are available: 1 Insufficient memory.',
    },
  },
  {
    name: 'a quota that is used up',
    revision: revision(
      no(
        'ResourcesAvailable',
        'FailedCreate',
        'pods "digits-v2-0-deployment-x" is forbidden: exceeded quota: small, requested: memory=1Gi, used: memory=0, limited: memory=512Mi',
      ),
      no('Ready', 'FailedCreate', ''),
    ),
    is: failed(
      'the cluster refuses its pods: pods "digits-v2-0-deployment-x" is forbidden: exceeded quota: small, requested: memory=1Gi, used: memory=0, limited: memory=512Mi',
    ),
  },
  {
    name: 'one that never got ready',
    revision: revision(
      no('ResourcesAvailable', 'ProgressDeadlineExceeded', 'Initial scale was never achieved'),
      no('Ready', 'ProgressDeadlineExceeded', 'Initial scale was never achieved'),
    ),
    is: failed('not ready in time: Initial scale was never achieved'),
  },
  {
    name: 'a Deployment of that name that is not Knative’s',
    revision: revision(
      no(
        'ResourcesAvailable',
        'NotOwned',
        'There is an existing Deployment "digits" that we do not own.',
      ),
      no('Ready', 'NotOwned', ''),
    ),
    is: failed(
      'a name is taken by something that Rouse did not make: There is an existing Deployment "digits" that we do not own.',
    ),
  },
  {
    name: 'a reason that nobody foresaw',
    revision: revision(no('Ready', 'SomethingNew', 'the moon is full')),
    is: failed('the moon is full'),
  },
  {
    name: 'no reason at all',
    revision: revision(no('Ready', '')),
    is: failed('Knative says no reason'),
  },
];

describe('a revision', () => {
  test.each(ROWS)('of which there is $name', ({ service: a, revision: b, autoscaler: c, is }) => {
    expect(readStatus({ service: a, revision: b, autoscaler: c })).toEqual(is);
  });
});

describe('the addresses of a model', () => {
  test.each([
    ['work', service(yes('RoutesReady')), undefined],
    ['are not known of yet', service(), undefined],
    [
      'have no ingress',
      service(unknown('RoutesReady', 'IngressNotConfigured')),
      /^no ingress has taken/,
    ],
    [
      'lead to a Revision that failed',
      service(
        no('RoutesReady', 'RevisionMissing', 'Revision "digits-v2-0" failed to become ready.'),
      ),
      /^Revision "digits-v2-0" failed to become ready.$/,
    ],
    [
      'lead to a name that is taken',
      service(no('RoutesReady', 'RevisionNameTaken', 'The revision name "digits-v2-0" is taken')),
      /^its name is taken by another Revision: /,
    ],
  ])('%s', (_name, told, expected) => {
    const problem = readRouteProblem(told);
    if (expected) expect(problem).toMatch(expected);
    else expect(problem).toBeUndefined();
  });
});
