import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureGo, findMissingGo } from '#test/go-toolchain.ts';
import { useHarness } from '../use-harness.ts';
import { KNOWN_FAILURES, OURS } from './h2spec-failures.ts';

/** A case that waits so long in vain has failed. A busy machine needs more than the second that would do. */
const SECONDS_PER_CASE = '3';

/**
 * Milliseconds that an answer takes. Cases that send a frame after END_STREAM mean a stream that still waits for
 * its answer; a quicker one closes it before the frame comes, which a busy machine may keep back for a while.
 */
const ANSWER_AFTER = 500;

function answer(response: { end: (text: string) => unknown }): void {
  setTimeout(() => response.end('ok'), ANSWER_AFTER);
}

/** The cases of h2spec that fail at a port, as `section/number description`. */
async function failuresAt(port: number, folder: string): Promise<Map<string, string>> {
  const report = join(folder, `${port}.xml`);
  const args = [
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '-P',
    '/models/default/digits/x',
    '-o',
    SECONDS_PER_CASE,
    '-j',
    report,
  ];
  await new Promise<void>((resolve) => {
    execFile(join(folder, 'h2spec'), args, { maxBuffer: 16 * 1024 * 1024 }, () => resolve());
  });
  const text = await readFile(report, 'utf8');
  const failures = new Map<string, string>();
  for (const [, suite = '', cases = ''] of text.matchAll(
    /<testsuite [^>]*package="([^"]*)"[^>]*>([^]*?)<\/testsuite>/g,
  )) {
    for (const [i, each] of [
      ...cases.matchAll(/<testcase [^>]*classname="([^"]*)"[^>]*>([^]*?)<\/testcase>/g),
    ].entries()) {
      if (/<(failure|error)/.test(each[2] ?? '')) failures.set(`${suite}/${i + 1}`, each[1] ?? '');
    }
  }
  expect(text).toMatch(/<testsuite /);
  return failures;
}

const harness = useHarness();

test.skipIf(findMissingGo(process.env) !== undefined)(
  "h2spec finds nothing that is not node:http2's own doing (needs go)",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rouse-h2spec-'));
    const build = [
      'build',
      '-buildvcs=false',
      '-o',
      folder,
      'github.com/summerwind/h2spec/cmd/h2spec',
    ];
    execFileSync(await ensureGo(process.env), build, {
      cwd: join(import.meta.dirname, 'h2spec'),
      stdio: 'inherit',
    });
    harness.teardown(() => rm(folder, { recursive: true }));
    const bare = createServer((_, response) => answer(response));
    harness.teardown(() => bare.close());
    await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve));
    await harness.serve((incoming, response) => {
      incoming.resume();
      answer(response);
    });
    // Both mostly wait.
    const ports = [harness.port, (bare.address() as AddressInfo).port];
    const [ours, nodes] = await Promise.all(ports.map((port) => failuresAt(port, folder)));
    if (!ours || !nodes) throw new Error('one has not run');
    const unknown = [...ours].filter(([name]) => !Object.hasOwn(KNOWN_FAILURES, name));
    expect(unknown).toEqual([]);
    const notNodes = [...ours.keys()].filter((name) => !nodes.has(name) && !OURS.includes(name));
    expect(notNodes).toEqual([]);
  },
  240_000,
);
