import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

/** Weighted autoscaling on the real platform: real meters, a Prometheus in so many words. */

const SOURCE = `export default () => {
  const until = performance.now() + 20;
  while (performance.now() < until);
  return new Response('done');
};
`;

let platform: Platform;
let folder: string;
let prometheus: Server;
let value: string;

beforeEach(async () => {
  folder = await makeFolder();
  prometheus = createServer((_, response) => {
    const result = [{ metric: {}, value: [Date.now() / 1000, value] }];
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
  await new Promise<void>((resolve) => {
    prometheus.listen(0, '127.0.0.1', resolve);
  });
  const at = prometheus.address();
  const port = typeof at === 'object' ? at?.port : 0;
  const args = ['--prometheus-url', `http://127.0.0.1:${port}`, '--pool', '0'];
  platform = await startPlatform(folder, { args });
  await writeFile(join(folder, 'busy.ts'), SOURCE);
});
afterEach(async () => {
  await platform.end('SIGKILL');
  prometheus.closeAllConnections();
  await new Promise((resolve) => {
    prometheus.close(resolve);
  });
  await removeFolder(folder);
});

async function deploy(signals: string): Promise<void> {
  await writeFile(
    join(folder, 'model.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: busy }
spec:
  revision: { name: v1, runtime: function, source: ./busy.ts, resources: { memory: 100Mi, cpu: 1 } }
  scaling: { max: 3, signals: ${signals} }
`,
  );
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('busy', ({ status }) => status.revisions[0]?.state === 'Ready');
}

/** Calls it, one after the other, until so many instances are there. */
async function callUntil(count: number): Promise<void> {
  const done = new AbortController();
  const calls = (async () => {
    while (!done.signal.aborted) {
      const response = await fetch(`${platform.requests}/models/default/busy/`);
      expect(await response.text()).toBe('done');
    }
  })();
  try {
    await platform.untilModel('busy', ({ status }) => status.instances.length === count);
  } finally {
    done.abort();
    await calls;
  }
}

test('a query decides how many there are', async () => {
  value = '7';
  await deploy('[{ signal: prometheus, query: sum(backlog), target: 3 }]');
  await callUntil(3);
  const { stdout } = await platform.rouse('why', 'busy');
  expect(stdout).toMatch(
    /the load needs 3 instances \(.*\): 2.33 by prometheus sum\(backlog\) 2.33/,
  );
}, 120_000);

test('the processor time that its processes use decides how many there are', async () => {
  await deploy('[{ signal: cpu, target: 0.05 }]');
  await callUntil(3);
  const { stdout } = await platform.rouse('why', 'busy');
  expect(stdout).toMatch(/the load needs \d+ instances \((signals|a burst)\): [\d.]+ by cpu/);
}, 120_000);
