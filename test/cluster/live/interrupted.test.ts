import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestCluster, MISSING, NEEDS, type TestCluster } from './cluster.ts';
import { findTraces, namespaceOf, seeMachine } from './traces.ts';

describe.skipIf(MISSING.length > 0)(`a harness that is interrupted ${NEEDS}`, () => {
  let cluster: TestCluster;
  let before: Set<string>;

  beforeEach(() => {
    before = seeMachine();
    cluster = createTestCluster();
  });
  afterEach(async () => {
    await cluster.close();
  });

  /** Starts `up`, and once this was printed sends a signal: to the process, or with Ctrl-C to its group. */
  async function interrupt(
    printed: string,
    signal: NodeJS.Signals,
    whom: 'process' | 'group',
  ): Promise<{ code: number | null; namespace: string }> {
    let namespace: Promise<string> | undefined;
    const { code } = await cluster.run(['up'], (all, pid) => {
      if (namespace || !all.includes(printed)) return;
      namespace = namespaceOf(cluster.state);
      namespace.finally(() => process.kill(whom === 'group' ? -pid : pid, signal)).catch(() => {});
    });
    if (!namespace) throw new Error(`it never said ${printed}`);
    return { code, namespace: await namespace };
  }

  test.each([
    'box: process',
    'containerd, etcd: ready',
    'kube-apiserver: ready',
    'Knative: applied',
  ])('Ctrl-C after "%s" leaves nothing', async (printed) => {
    const { code, namespace } = await interrupt(printed, 'SIGINT', 'group');
    expect(code).toBe(130);
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });

  test('a signal to the harness alone leaves nothing', async () => {
    const { code, namespace } = await interrupt('containerd, etcd: ready', 'SIGTERM', 'process');
    expect(code).toBe(130);
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });

  test('Ctrl-C while a program is built leaves nothing', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'rouse-cache-'));
    const own = createTestCluster({ XDG_CACHE_HOME: cache });
    try {
      const { code } = await own.run(['up'], (all, pid) => {
        if (all.endsWith('building first: minutes the first time\n')) process.kill(-pid, 'SIGINT');
      });
      expect(code).toBe(130);
      expect(findTraces(cache, before)).toEqual([expect.stringContaining('rouse')]);
      expect(findTraces(own.state, before)).toEqual([]);
    } finally {
      await own.close();
      rmSync(cache, { recursive: true });
    }
  });

  test('after kill -9 the next up works, and down leaves nothing', async () => {
    const killed = await interrupt('kube-apiserver: ready', 'SIGKILL', 'process');
    expect(killed.code).toBeNull();
    expect(findTraces(cluster.state, before, killed.namespace)).not.toEqual([]);
    await cluster.must('up');
    const namespace = await namespaceOf(cluster.state);
    expect(await cluster.must('status')).not.toContain('not ready');
    await cluster.must('down');
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
    expect(findTraces(cluster.state, before, killed.namespace)).toEqual([]);
  });

  test('after kill -9 down alone leaves nothing', async () => {
    const { namespace } = await interrupt('containerd, etcd: ready', 'SIGKILL', 'process');
    await cluster.must('down');
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });
});
