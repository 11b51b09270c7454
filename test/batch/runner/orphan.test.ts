import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { batchSpec } from '#domain/job.ts';
import type { ToRunner } from '#domain/job-run.ts';
import { ROOT } from '#test/functions/process.ts';
import { listening } from '#test/listening.ts';

test('a runner whose control has gone is killed, whatever its other threads still do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-orphan-'));
  onTestFinished(async () => rm(folder, { recursive: true }));
  const location = join(folder, 'in.csv');
  await writeFile(location, 'x\n1\n');
  // A model that answers nobody.
  const server = createServer();
  const url = `http://127.0.0.1:${await listening(server)}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const runner = fork(join(ROOT, 'src/batch/main.ts'), { serialization: 'advanced' });
  onTestFinished(() => void runner.kill('SIGKILL'));
  const exited = once(runner, 'exit');
  const inputs = [{ name: 'x', datatype: 'FP64', shape: [-1] }];
  const asked = { proxyProtocol: false, headers: {}, binary: false, timeoutMs: 60_000 };
  const order = {
    namespace: 'default',
    id: 'job',
    spec: batchSpec.parse({
      model: 'm',
      input: { location },
      output: { path: join(folder, 'out.csv') },
    }),
    model: { url, inputs, outputs: [], ...asked },
    folder,
    bounds: { closed: [] },
  };
  runner.send({ type: 'check', tryRows: 1, order } satisfies ToRunner);
  await once(server, 'request');
  runner.disconnect();
  expect(await exited).toEqual([null, 'SIGKILL']);
});
