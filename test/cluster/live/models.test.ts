import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

const NOT_PULLED =
  /^Proving: v1: the last start failed: its image cannot be pulled: .*dev\.local\/none:v1/;

describe.skipIf(MISSING.length > 0)(`Model objects on a cluster ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster();
  });

  test('applied, split, refused, told of, and deleted by kubectl; each side was away for a while', async () => {
    expect(await runInside(cluster, 'models-child.ts')).toEqual({
      wronglyTaken: [],
      wronglyRefused: [],
      applied: 'model.rouse.dev/hello created',
      answered: ['v1'],
      synced: 'model.rouse.dev/hello serverside-applied',
      split: ['v1', 'v2'],
      events: [expect.stringMatching(/ v1=50 v2=50, set by kubernetes:argocd-controller$/)],
      owner: expect.objectContaining({ kind: 'Model', name: 'hello', controller: true }),
      sum: 'The Model "hello" is invalid: spec.traffic: Invalid value: "array": percentages that sum to 100',
      typo: expect.stringMatching(
        /strict decoding error: unknown field "spec\.revision\.concurency"$/,
      ),
      path: expect.stringMatching(
        /^Invalid: .* spec\.revision\.source: found "\.\/digits\.onnx", expected a sha256: digest or an http/s,
      ),
      broken: expect.stringMatching(NOT_PULLED),
      cli: expect.stringMatching(/^1 rouse: model default\/hello is kept by its Model object/),
      listed: expect.stringMatching(/^hello +Awake +v1 50 % · v2 50 % +2 +True +Ready /m),
      collected: {
        isNew: true,
        answered: 'v1',
        told: [expect.stringMatching(/unused for .*; its Model object asks to be deleted then$/)],
      },
      apiServerAway: ['v1', 'v2'],
      apiServerBack: ['v2'],
      rouseBack: ['v1'],
      left: [],
    });
  });
});
