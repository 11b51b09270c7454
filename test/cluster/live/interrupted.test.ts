import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureGo } from '#test/go-toolchain.ts';
import { createTestCluster, MISSING, NEEDS, type Ran, type TestCluster } from './cluster.ts';
import { findComponent, findTraces, namespaceOf, seeMachine } from './traces.ts';

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

  /** Starts `up`, and does something once this was printed. Gives what came of `up`, and the box that it was in. */
  async function disturb(
    printed: string,
    act: (child: ChildProcess) => unknown,
  ): Promise<Ran & { namespace: string }> {
    let acted: Promise<string> | undefined;
    const ran = await cluster.run(['up'], (all, child) => {
      if (!all.includes(printed)) return;
      acted ??= namespaceOf(cluster.state).then(async (namespace) => {
        await act(child);
        return namespace;
      });
    });
    if (!acted) throw new Error(`it never said ${printed}:\n${ran.stderr}`);
    return { ...ran, namespace: await acted };
  }
  /** For the whole process group, as a terminal does it. */
  const pressCtrlC = ({ pid = 0 }: ChildProcess): unknown => process.kill(-pid, 'SIGINT');

  test.each([
    'box: process',
    'containerd, etcd: ready',
    'kube-apiserver: ready',
    'Knative: applied',
  ])('Ctrl-C after "%s" leaves nothing', async (printed) => {
    const { code, namespace } = await disturb(printed, pressCtrlC);
    expect(code).toBe(130);
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });

  test('a signal to the harness alone leaves nothing', async () => {
    const { code, namespace } = await disturb('containerd, etcd: ready', (child) =>
      child.kill('SIGTERM'),
    );
    expect(code).toBe(130);
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });

  test('an end of its output, as with `| head`, leaves nothing', async () => {
    const { code, namespace } = await disturb('containerd, etcd: ready', (child) =>
      child.stdout?.destroy(),
    );
    expect(code).toBe(130);
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });

  test('a component that ends while the others come up is named, with its last words; nothing is left', async () => {
    const { code, stderr, namespace } = await disturb('kube-apiserver: ready', async () =>
      process.kill(await findComponent(cluster.state, 'etcd'), 'SIGKILL'),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/etcd ended with SIGKILL; its log ends with\n {4}{"level":/);
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });

  test('Ctrl-C while a program is built leaves nothing', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'rouse-cache-'));
    // One that was fetched lies in the cache that is to be empty.
    const path = `${dirname(await ensureGo(process.env))}:${process.env['PATH']}`;
    const own = createTestCluster({ XDG_CACHE_HOME: cache, PATH: path });
    try {
      const { code } = await own.run(['up'], (all, child) => {
        if (all.endsWith('building first: minutes the first time\n')) pressCtrlC(child);
      });
      expect(code).toBe(130);
      expect(findTraces(cache, before)).toEqual([expect.stringContaining('rouse')]);
      expect(findTraces(own.state, before)).toEqual([]);
    } finally {
      await own.close();
      rmSync(cache, { recursive: true });
    }
  });

  test('after kill -9 the next up works; status tells what ends then, and down leaves nothing', async () => {
    const killed = await disturb('kube-apiserver: ready', (child) => child.kill('SIGKILL'));
    expect(killed.code).toBeNull();
    expect(findTraces(cluster.state, before, killed.namespace)).not.toEqual([]);
    await cluster.must('up');
    const namespace = await namespaceOf(cluster.state);
    expect(await cluster.must('status')).not.toContain('not ready');
    process.kill(await findComponent(cluster.state, 'kube-scheduler'), 'SIGKILL');
    const { code, stdout } = await cluster.run(['status']);
    expect(stdout).toMatch(/^not ready +kube-scheduler$/m);
    expect(stdout).toMatch(/^ready +kube-apiserver$/m);
    expect(code).toBe(1);
    await cluster.must('down');
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
    expect(findTraces(cluster.state, before, killed.namespace)).toEqual([]);
    expect(await cluster.run(['status'])).toMatchObject({
      code: 1,
      stderr: 'no cluster is up; npm run cluster -- up makes one\n',
    });
  });

  test('after kill -9 down alone leaves nothing', async () => {
    const { namespace } = await disturb('containerd, etcd: ready', (child) =>
      child.kill('SIGKILL'),
    );
    await cluster.must('down');
    expect(findTraces(cluster.state, before, namespace)).toEqual([]);
  });
});
