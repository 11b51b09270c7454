import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { endBox, enterArgs, startBox } from '../box.ts';
import { cacheFolder } from '../folders.ts';
import { makePlan } from '../make-plan.ts';
import { programOf } from '../plan.ts';
import { isAlive, readRecord } from '../record.ts';
import { thisMachine } from '../requirements.ts';
import { runProgram } from '../run-program.ts';
import { MISSING, NEEDS } from './cluster.ts';

describe.skipIf(MISSING.length > 0)(`a box ${NEEDS}`, () => {
  let first: string;
  const onEnd = useTeardown();

  beforeAll(async () => {
    const plan = await makePlan({
      machine: thisMachine(process.env),
      cache: cacheFolder(process.env),
      say: () => {},
      signal: new AbortController().signal,
    });
    first = programOf(plan, 'first');
  });

  test('ends by itself when the harness dies before it was written down', async () => {
    const args = ['--mount', '--net', '--pid', '--fork', '--', first, 'gate'];
    const child = spawn('unshare', args, { stdio: 'pipe' });
    onEnd(() => child.kill('SIGKILL'));
    const [pid] = await once(createInterface(child.stdout), 'line');
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    const ended = once(child, 'exit');
    // As the kernel does when a process dies.
    child.stdin.destroy();
    expect(await ended).toEqual([1, null]);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test('is written down when it lives, and takes all that it started along', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rouse-box-'));
    onEnd(() => rmSync(folder, { recursive: true }));
    const record = join(folder, 'box.json');
    const box = await startBox(first, record);
    onEnd(() => endBox(box));
    expect(await readRecord(record)).toEqual(box);
    const [enter = '', ...words] = enterArgs(box, '/');
    // Neither its network nor its processes are those of the machine.
    const links = await runProgram([enter, ...words, 'ip', '-brief', 'link']);
    expect(links.stdout.trimEnd().split('\n')).toEqual([expect.stringMatching(/^lo /)]);
    const within = spawn(enter, [...words, first, 'gate']);
    onEnd(() => within.kill('SIGKILL'));
    // Then it runs, in the box.
    await once(createInterface(within.stdout), 'line');
    const ended = once(within, 'exit');
    await endBox(box);
    expect(isAlive(box)).toBe(false);
    // It tells how the process in the box ended by ending itself in the same way.
    expect(await ended).toEqual([null, 'SIGKILL']);
  });
});
