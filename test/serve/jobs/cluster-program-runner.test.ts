import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProgramOrder } from '#control/jobs/program-runner.ts';
import { type ProgramRequest, programSpec } from '#domain/program-job.ts';
import { JOBS, PODS } from '#knative/api/resources.ts';
import { packFolder } from '#lib/folder-stream.ts';
import { putPath } from '#store/put-path.ts';
import {
  type ClusterPrograms,
  createClusterPrograms,
} from '#test/knative/programs/cluster-programs.ts';
import { until } from '#test/until.ts';
import { describeProgramRunner } from './program-runner-conformance.ts';

describeProgramRunner('pods of a cluster', async () => {
  const cluster = await createClusterPrograms();
  const { runner, artifacts, pods } = cluster;
  return { runner, artifacts, running: () => pods.running().length, close: () => cluster.close() };
});

describe('a program in a pod', () => {
  let cluster: ClusterPrograms;

  beforeEach(async () => {
    cluster = await createClusterPrograms();
  });
  afterEach(() => cluster.close());

  const NODE = process.execPath;
  const WAITS = `const { existsSync } = require('node:fs'); console.log('here');
    setInterval(() => {}, 1000);`;
  const LEAVES = `require('node:fs').writeFileSync(process.env.ROUSE_OUTPUT + '/model', 'made')`;

  function makeOrder(part: Partial<ProgramRequest>, attempt = 1): ProgramOrder {
    const spec = programSpec.parse({ kind: 'program', ...part });
    return { namespace: 'shop', id: 'job-1', attempt, spec };
  }

  async function withParent(order: ProgramOrder): Promise<ProgramOrder> {
    async function* bytes(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('the parent');
    }
    const about = { name: 'model.bin', kind: 'file', maxBytes: 100 } as const;
    const artifact = await cluster.artifacts.put(bytes(), about);
    return { ...order, parent: { revision: 'v1', artifact } };
  }

  const script = (text: string, attempt = 1): ProgramOrder =>
    makeOrder({ args: [NODE, '-e', text], model: 'm' }, attempt);
  const jobNames = (): string[] =>
    cluster.server.store.all(JOBS).map(({ metadata }) => metadata.name);

  async function untilHere(order: ProgramOrder): Promise<void> {
    await until('it runs', async () => {
      const lines = await cluster.runner.logs(order, 10);
      return lines.some(({ text }) => text === 'here');
    });
  }

  test('runs in an image of its own as that says', async () => {
    const image = { runtime: 'image', source: 'registry.example/node:1' } as const;
    const order = await withParent(makeOrder({ ...image, args: [LEAVES], model: 'm' }));
    const end = await cluster.runner.start(order).ended;
    expect(end).toMatchObject({ kind: 'done', result: { made: { artifact: { name: 'model' } } } });
  });

  test('writes where files have the group of who hands them over, whichever group is its own', async () => {
    const mode = `require('node:fs').statSync(process.env.ROUSE_OUTPUT).mode`;
    const order = script(`console.log((${mode} & 0o7777).toString(8))`);
    expect(await cluster.runner.start(order).ended).toMatchObject({ kind: 'done' });
    const lines = await cluster.runner.logs(order, 10);
    expect(lines.map(({ text }) => text)).toEqual(['2777']);
  });

  test('goes on without Rouse, and the next one takes what it has left, once', async () => {
    const order = await withParent(script(`${LEAVES}; console.log('here')`));
    cluster.takes(false);
    const first = cluster.runner.start(order);
    await until('it hands over in vain', () => cluster.offers > 1);
    await first.leave();
    const [job] = cluster.server.store.all(JOBS);
    cluster.takes(true);
    const second = cluster.another().resume?.(order);
    expect(await second?.ended).toMatchObject({
      kind: 'done',
      result: { made: { artifact: { name: 'model', size: 4 } } },
    });
    expect(cluster.server.store.all(JOBS)[0]?.metadata.uid).toBe(job?.metadata.uid);
    // As if Rouse had died before it was written down.
    const third = cluster.another().resume?.(order);
    expect(await third?.ended).toMatchObject({ kind: 'done' });
    await cluster.runner.clear(order);
    expect(jobNames()).toEqual([]);
    expect(cluster.server.store.all(PODS)).toEqual([]);
  });

  test('has left what its pod tells of, whatever somebody else hands over with its key', async () => {
    const order = await withParent(script(LEAVES));
    cluster.takes(false);
    const run = cluster.runner.start(order);
    await until('it hands over in vain', () => cluster.offers > 1);
    const other = await mkdtemp(join(tmpdir(), 'rouse-stranger-'));
    await writeFile(join(other, 'model'), 'somebody else made it');
    const { artifacts } = cluster;
    const { signal } = new AbortController();
    const { digest } = await putPath(artifacts, other, { maxBytes: 1000, signal });
    await rm(other, { recursive: true });
    await cluster.runner.take?.(packFolder(artifacts.read(digest), (each) => artifacts.read(each)));
    cluster.takes(true);
    expect(await run.ended).toMatchObject({
      kind: 'done',
      result: { made: { artifact: { name: 'model', size: 4 } } },
    });
  });

  test('that is not there any more is lost, and so is one of another attempt', async () => {
    const run = cluster.runner.start(script(WAITS));
    await untilHere(script(WAITS));
    const other = cluster.another().resume?.(script(WAITS, 2));
    expect(await other?.ended).toMatchObject({ kind: 'lost' });
    await run.end();
    const none = cluster.another().resume?.(script(WAITS));
    expect(await none?.ended).toEqual({ kind: 'lost', why: 'its Job was removed' });
  });

  test('whose pod is killed is lost, and the next attempt is another pod', async () => {
    const order = script(WAITS);
    const run = cluster.runner.start(order);
    await untilHere(order);
    const [name = ''] = cluster.pods.running();
    await cluster.pods.kill(name);
    expect(await run.ended).toEqual({ kind: 'lost', why: 'its pod was removed' });
    expect(await cluster.runner.start(script('', 2)).ended).toMatchObject({ kind: 'done' });
    expect(jobNames()).toHaveLength(1);
  });

  test('that has failed is not found once more', async () => {
    const order = script('process.exit(3)');
    expect(await cluster.runner.start(order).ended).toMatchObject({ kind: 'failed' });
    expect(jobNames()).toEqual([]);
    expect(await cluster.another().resume?.(order).ended).toMatchObject({ kind: 'lost' });
  });

  test('has its output once, also while its pod cannot be removed', async () => {
    const refusal = { kind: 'Status', code: 503, message: 'not now' };
    cluster.server.refuse(/^DELETE .*\/jobs/, 503, refusal, Infinity);
    const order = script(`console.log('here'); process.exit(3)`);
    const run = cluster.runner.start(order);
    await until('it is to be removed', () =>
      cluster.server.requests.some(({ method }) => method === 'DELETE'),
    );
    const lines = await cluster.runner.logs(order, 10);
    expect(lines.map(({ text }) => text)).toEqual(['here']);
    await run.leave();
  });

  test('begins when the API server is back', async () => {
    await cluster.server.away(true);
    const run = cluster.runner.start(script(''));
    await cluster.server.away(false);
    expect(await run.ended).toMatchObject({ kind: 'done' });
  });

  test('that the cluster refuses is refused before, or has failed', async () => {
    const message = 'admission webhook "rules" denied the request: no programs here';
    const body = { kind: 'Status', code: 403, reason: 'Forbidden', message };
    cluster.server.refuse(/^POST .*\/jobs/, 403, body, 2);
    await expect(cluster.runner.check(script(''))).rejects.toThrow('no programs here');
    const end = await cluster.runner.start(script('')).ended;
    expect(end).toMatchObject({ kind: 'failed', why: expect.stringContaining('no programs') });
  });

  test("has a name that a stranger's Job may have, which is not touched", async () => {
    await cluster.runner.start(script('')).ended;
    const [made] = cluster.server.store.all(JOBS);
    await cluster.runner.clear(script(''));
    const { namespace = '', name } = made!.metadata;
    cluster.server.store.put(JOBS, { metadata: { namespace, name } });
    const end = await cluster.runner.start(script('')).ended;
    expect(end).toMatchObject({ kind: 'failed', why: expect.stringContaining('already exists') });
    await cluster.runner.clear(script(''));
    expect(jobNames()).toEqual([name]);
  });
});
