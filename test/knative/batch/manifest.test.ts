import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { endOf } from '#knative/api/job-end.ts';
import type { Job, Pod } from '#knative/api/objects.ts';
import { lastWords } from '#knative/batch/ends.ts';
import { makeShardsJob } from '#knative/batch/manifest.ts';
import { isMadeForJob } from '#knative/manifests/labels.ts';
import { shardsJobName } from '#knative/manifests/names.ts';

const OUTFIT = {
  image: 'registry.example/rouse:1',
  command: ['node', '--max-old-space-size=128', 'src/batch/shard.ts'],
  env: { MALLOC_ARENA_MAX: '2' },
  claim: { namespace: 'rouse-system', name: 'rouse-batch' },
  folder: '/batch',
};
const JOB = {
  namespace: 'shop',
  id: 'digits-0a1b2c',
  count: 4,
  folder: '/batch/.rouse/shop/digits-0a1b2c',
};

test('the Job of four shards, as it is sent', () => {
  const golden: unknown = JSON.parse(
    readFileSync(new URL('../golden/shards-job.json', import.meta.url), 'utf8'),
  );
  expect(makeShardsJob(JOB, OUTFIT)).toEqual(golden);
});

test('a Job is known by its labels, not by its name', () => {
  const made = makeShardsJob(JOB, OUTFIT);
  expect(isMadeForJob(JOB, made)).toBe(true);
  expect(isMadeForJob({ ...JOB, namespace: 'other' }, made)).toBe(false);
  expect(isMadeForJob(JOB, { metadata: { name: made.metadata.name } })).toBe(false);
});

test('names have room for the number of a pod in a host name, and no two jobs share one', () => {
  const id = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  fc.assert(
    fc.property(id, id, id, (one, other, namespace) => {
      const name = shardsJobName(namespace, one);
      expect(name).toMatch(/^[a-z]([a-z0-9-]{0,58}[a-z0-9])?$/);
      if (one !== other) expect(shardsJobName(namespace, other)).not.toBe(name);
    }),
  );
});

describe('how a Job ended', () => {
  const condition = (type: string, status: 'True' | 'False', message = ''): Job => ({
    metadata: { name: 'j' },
    status: { conditions: [{ type, status, reason: 'Why', message }] },
  });

  test.each([
    ['not', { metadata: { name: 'j' } }, undefined],
    ['not yet', condition('FailureTarget', 'True'), undefined],
    ['not, though it was said', condition('Complete', 'False'), undefined],
    ['well', condition('Complete', 'True'), { kind: 'complete' }],
    ['badly', condition('Failed', 'True', 'too often'), { kind: 'failed', why: 'too often' }],
    ['badly, without words', condition('Failed', 'True'), { kind: 'failed', why: 'Why' }],
  ])('%s', (_, job, end) => {
    expect(endOf(job)).toEqual(end);
  });

  test('the last words are those of the pod that failed last', () => {
    const pod = (name: string, exitCode: number, finishedAt: string, message?: string): Pod => ({
      metadata: { name },
      status: {
        containerStatuses: [
          {
            name: 'shard',
            state: {
              terminated: { exitCode, finishedAt, reason: 'Error', ...(message && { message }) },
            },
          },
        ],
      },
    });
    const pods = [
      pod('a', 1, '2026-01-01T00:00:02Z', 'out of bounds\n'),
      pod('b', 137, '2026-01-01T00:00:01Z'),
      pod('c', 0, '2026-01-01T00:00:09Z', 'done'),
    ];
    expect(lastWords(pods)).toBe('pod a ended with 1: out of bounds');
    expect(lastWords(pods.slice(1))).toBe('pod b ended with 137: Error');
    expect(lastWords(pods.slice(2))).toBeUndefined();
  });
});
