import { readFile, writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  makeFolder,
  type Platform,
  processesFor,
  removePlatform,
  startPlatform,
  untilNoProcess,
} from './platform.ts';

/** Requests that nobody waits for, a Rouse that is killed in the midst of them, and who is told. */

const MANY = 20_000;
/** Of these somebody is told. */
const TOLD = 600;
const CONNECTIONS = 64;
/** Requests and webhooks that control has under way at most. */
const UNDER_WAY = 256;
const MINUTES = 60_000;

let platform: Platform | undefined;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await removePlatform(platform);
  platform = undefined;
});

interface Answered {
  readonly status: number;
  readonly location: string;
  readonly body: string;
}

function createCaller() {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  ends.push(() => agent.destroy());
  return (
    url: string,
    options: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<Answered> =>
    new Promise((found, failed) => {
      const sent = request(url, { ...options, agent }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => (body += piece));
        response.on('end', () =>
          found({
            status: response.statusCode ?? 0,
            location: response.headers.location ?? '',
            body,
          }),
        );
      });
      sent.on('error', failed);
      sent.end();
    });
}

/** The value of one series at `/metrics`. */
async function metric(series: string): Promise<number> {
  const text = await (await fetch(`${platform?.control}/metrics`)).text();
  const line = text.split('\n').find((row) => row.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

/** Half of its answers are failures: a webhook is taken at once, at the second, or at the third time. */
async function startReceiver() {
  const calls = new Map<string, number>();
  const taken = new Map<string, number>();
  const server = createServer((incoming, response) => {
    const id = String(incoming.headers['webhook-id']);
    const count = (calls.get(id) ?? 0) + 1;
    calls.set(id, count);
    const failures = [0, 0, 1, 2][Number.parseInt(id.at(-1) ?? '', 16) % 4] ?? 0;
    const isTaken = count > failures;
    if (isTaken) taken.set(id, (taken.get(id) ?? 0) + 1);
    incoming.resume();
    incoming.on('end', () => response.writeHead(isTaken ? 204 : 500).end());
  });
  ends.push(() => server.close());
  const port = await listening(server);
  return { url: `http://127.0.0.1:${port}/hook`, taken };
}

async function start(folder: string, ...more: string[]): Promise<Platform> {
  platform = await startPlatform(folder, {
    args: ['--webhooks-allow', '127.0.0.0/8', '--pool', '0', ...more],
    env: ENV,
  });
  return platform;
}

async function deploy(on: Platform, gate: string): Promise<void> {
  const args = numberedArgs(join(on.folder, 'log'), 'v1', gate);
  await writeFile(
    join(on.folder, 'app.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec:
  revision: { name: v1, runtime: command, args: ${args}, concurrency: 32, readiness: { timeout: 300s } }
  scaling: { initial: 0, max: 1 }
`,
  );
  expect(await on.rouse('apply', '-f', 'app.yaml')).toMatchObject({ status: 0 });
}

async function delivered(control: string): Promise<string[]> {
  const ids: string[] = [];
  let after = '';
  do {
    const path = `${control}/api/v1/namespaces/default/deliveries?state=delivered&limit=1000${after}`;
    const page = (await (await fetch(path)).json()) as { items: { id: string }[]; next?: string };
    ids.push(...page.items.map(({ id }) => id));
    after = page.next === undefined ? '' : `&after=${page.next}`;
  } while (after !== '');
  return ids;
}

test(
  `${MANY} are accepted while the model sleeps, Rouse is killed in the middle: each answer is there once, each webhook arrives`,
  async () => {
    const folder = await makeFolder();
    const gate = join(folder, 'gate');
    const first = await start(folder);
    await deploy(first, gate);
    const receiver = await startReceiver();
    const call = createCaller();

    async function submit(on: Platform, number: number): Promise<Answered> {
      const hook = number < TOLD ? { 'rouse-webhook': receiver.url } : undefined;
      const headers = {
        prefer: 'respond-async',
        'idempotency-key': `n${number}`,
        'x-number': String(number),
        ...hook,
      };
      const url = `${on.requests}/models/default/app/`;
      return await call(url, { method: 'POST', headers });
    }

    const accepted = await Promise.all(
      Array.from({ length: MANY }, (_, number) => submit(first, number)),
    );
    expect(accepted.filter(({ status }) => status !== 202)).toEqual([]);
    const locations = accepted.map(({ location }) => location);
    expect(new Set(locations).size).toBe(MANY);

    await writeFile(gate, '');
    await until('a part has been answered', async () => {
      return (await metric('rouse_async_requests{state="ended"}')) > MANY / 10;
    });
    const before = await delivered(first.control);
    const takenBefore = new Map(before.map((id) => [id, receiver.taken.get(id)]));
    await first.end('SIGKILL');
    await untilNoProcess(folder);

    const second = await start(folder);
    // Who has not heard asks again, and gets what is stored.
    const again = await submit(second, 0);
    expect(again).toMatchObject({ status: 202, location: locations[0] });
    const recovered = await metric('rouse_async_recovered_total{what="request"}');
    const repeated = await metric('rouse_async_recovered_total{what="webhook"}');
    expect(recovered).toBeLessThanOrEqual(UNDER_WAY);
    let ended = 0;
    while (ended < MANY) {
      await until('more have ended', async () => {
        const now = await metric('rouse_async_requests{state="ended"}');
        const isMore = now > ended;
        ended = now;
        return isMore;
      });
    }
    await until('all have been told', async () => {
      return (await metric('rouse_webhooks{state="delivered"}')) === TOLD;
    });

    const answers = await Promise.all(
      locations.map((location) => call(`${second.requests}${location}/answer`)),
    );
    const wrong = answers.filter(({ body }, number) => body !== `v1 ${number}\n`);
    expect(wrong).toEqual([]);
    const begun = (await readFile(join(folder, 'log'), 'utf8')).match(/^begin /gm)?.length ?? 0;
    expect(begun).toBeGreaterThanOrEqual(MANY);
    expect(begun).toBeLessThanOrEqual(MANY + recovered);

    // What was acknowledged and stored is not sent again; what was not may be, in the window of the kill.
    expect(receiver.taken.size).toBe(TOLD);
    for (const [id, times] of takenBefore) expect(receiver.taken.get(id)).toBe(times);
    const more = [...receiver.taken.values()].reduce((sum, times) => sum + times - 1, 0);
    expect(more).toBeLessThanOrEqual(repeated);
  },
  10 * MINUTES,
);

test(
  'with workers: while control is away callers get 503, and what was accepted before is answered after',
  async () => {
    const folder = await makeFolder();
    const on = await start(folder, '--workers', '2');
    await deploy(on, '/');
    const call = createCaller();
    const submit = (key: string) =>
      call(`${on.requests}/models/default/app/`, {
        method: 'POST',
        headers: {
          prefer: 'respond-async',
          'idempotency-key': key,
          'x-number': key,
          'x-ms': '200',
        },
      });
    const accepted = await submit('1');
    expect(accepted.status).toBe(202);
    const [control = 0] = await processesFor('control', folder);
    const statuses = new Set<number>();
    const asking = until('control was away, and is back', async () => {
      const { status } = await submit('2');
      statuses.add(status);
      return statuses.has(503) && status === 202;
    });
    process.kill(control, 'SIGKILL');
    await asking;
    expect([...statuses].toSorted((a, b) => a - b)).toEqual([202, 503]);
    for (const key of ['1', '2']) {
      const { location } = await submit(key);
      if (key === '1') expect(location).toBe(accepted.location);
      let body = '';
      await until('it is answered', async () => {
        ({ body } = await call(`${on.requests}${location}/answer`));
        return body.startsWith('v1');
      });
      expect(body).toBe(`v1 ${key}\n`);
    }
  },
  3 * MINUTES,
);
