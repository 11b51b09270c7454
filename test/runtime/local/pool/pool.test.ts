import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RevisionSpecInput } from '#domain/model.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import type { Instance, PoolView, Workload } from '#runtime/runtime.ts';
import { programs } from '#serve/local-runtime.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { wanted } from '../../conformance.ts';
import { createLocalSetup, pidsMarked, type LocalSetup } from '../harness.ts';
import { ask } from '../../request.ts';

/** Processes that stand by, with the model servers of `functions/`. */
const own = (path: string): string =>
  fileURLToPath(new URL(`../../../../functions/${path}`, import.meta.url));

/** No instance started for so long: what was taken is replaced. */
const QUIET_MS = 100;
/** Since one that stood by has died. */
const RETRY_MS = 1000;

let setup: LocalSetup;
/** What stands by is replaced when a test lets the time for it pass, and not before. */
let clock: FakeClock;

beforeEach(async () => {
  clock = createFakeClock();
  setup = await createLocalSetup({ pool: 1, programs: programs(), clock });
});
afterEach(async () => {
  const closed = setup.close();
  // Its grace of 0 ms is over.
  clock.advance(0);
  await closed;
  expect(pidsMarked(setup.stateId)).toEqual([]);
});

function view(runtime: PoolView['runtime']): PoolView | undefined {
  return setup.runtime.pool?.views().find((one) => one.runtime === runtime);
}

async function idle(runtime: PoolView['runtime'], count = 1): Promise<void> {
  setup.runtime.pool?.keep([runtime]);
  clock.advance(QUIET_MS);
  await until(`${count} stand by`, () => view(runtime)?.idle === count);
}

/** The pids of those that stand by, which have no instance yet. */
function standbys(): number[] {
  const instances = setup.runtime.instances().map(({ id }) => id);
  return pidsMarked(setup.stateId).filter((pid) => {
    const mark = systemProcesses.environment(pid)?.toString() ?? '';
    return mark.includes('ROUSE_STANDBY=') && !instances.some((id) => mark.includes(`/${id}\0`));
  });
}

const SPY = `
const seen = () => ({ env: process.env, cwd: process.cwd(), pid: process.pid, globals: Object.keys(globalThis) });
console.log('loaded', process.env.ROUSE_MODEL, process.env.API_KEY);
globalThis.leftBehind = process.env.ROUSE_MODEL;
export default () => Response.json(seen());`;

async function spy(spec: Partial<RevisionSpecInput> = {}): Promise<Workload> {
  const artifact = await setup.putText('spy.ts', SPY);
  const workload = setup.workload({ runtime: 'function', source: 'spy.ts', ...spec }, artifact);
  await setup.runtime.prepare(workload);
  return workload;
}

async function seenBy({ address }: Instance): Promise<{
  env: Record<string, string>;
  cwd: string;
  pid: number;
  globals: string[];
}> {
  return JSON.parse((await ask(address)).body);
}

async function ready(workload: Workload, count = 1): Promise<readonly Instance[]> {
  await setup.runtime.want(workload, wanted(count));
  const all = (): readonly Instance[] =>
    setup.runtime.instances(workload.key).filter(({ state }) => state === 'ready');
  await until(`${count} are ready`, () => all().length === count);
  return all();
}

test('a process that stands by becomes an instance, with its environment, folder, secrets and log', async () => {
  setup.secrets.set('default/openai', 's3cret');
  await idle('function');
  const [pid] = standbys();
  const env = { LOG_LEVEL: 'debug', API_KEY: { secret: 'openai' } };
  const workload = await spy({ env });
  const [instance] = await ready(workload);
  if (!instance) throw new Error('there is none');
  expect(instance.origin).toBe('pool');
  const pooled = await seenBy(instance);
  expect(pooled.pid).toBe(pid);
  expect(pidsMarked(`${setup.stateId}/${instance.id}\0`)).toEqual([pid]);
  const lines = () => setup.runtime.logs(workload.key, 9);
  // By another way than its answers.
  await until('what it has printed is here', async () => (await lines()).length > 0);
  expect((await lines()).map(({ text, instance: id }) => [id, text])).toEqual([
    [instance.id, `loaded ${workload.key.split('/')[1]} s3cret`],
  ]);
  // A second one finds nobody standing by: what it sees is what the first must have seen.
  const [, fresh] = await ready(workload, 2);
  if (!fresh) throw new Error('there is none');
  expect(fresh.origin).toBe('fresh');
  const alone = await seenBy(fresh);
  const differing = ['ROUSE_SOCKET', 'ROUSE_INSTANCE'];
  for (const name of differing) {
    expect(pooled.env[name]).toMatch(new RegExp(`/${instance.id}$`));
    expect(alone.env[name]).toMatch(new RegExp(`/${fresh.id}$`));
    delete pooled.env[name];
    delete alone.env[name];
  }
  expect(pooled.env).toEqual(alone.env);
  expect(pooled.env).toMatchObject({ LOG_LEVEL: 'debug', API_KEY: 's3cret' });
  expect(pooled.cwd).toBe(alone.cwd);
  expect(view('function')).toMatchObject({ hits: 1, misses: { empty: 1 } });
});

test('an ONNX model and a Python model begin in processes that stand by', async () => {
  await idle('onnx');
  const file = await setup.putFile(own('samples/digits/v2.onnx'));
  const digits = setup.workload({ runtime: 'onnx', source: 'v2.onnx' }, file);
  const digitsAlive = await setup.ready({
    ...digits,
    inspection: await setup.runtime.inspect(digits),
  });
  expect(digitsAlive.origin).toBe('pool');
  expect((await ask(digitsAlive.address, '/v2/health/ready')).status).toBe(200);
  await idle('python');
  const model =
    'import os\noutputs = []\ndef predict(inputs):\n    return {}\nprint(os.getcwd())\n';
  const folder = await setup.putFolder({ 'model.py': model });
  const workload = setup.workload({ runtime: 'python', source: 'app' }, folder);
  const instance = await setup.ready(workload);
  expect(instance.origin).toBe('pool');
  expect(instance.metadata?.platform).toBe('rouse_python');
  const lines = () => setup.runtime.logs(workload.key, 1);
  await until('what it has printed is here', async () => (await lines()).length > 0);
  expect((await lines())[0]?.text).toBe(await setup.artifacts.materialize(folder));
});

test('a process serves one model, once; the next one begins in another', async () => {
  await idle('function');
  const one = await spy({ env: { ONLY_ONE: '1' } });
  const two = await spy();
  const [first] = await ready(one);
  await idle('function');
  const [second] = await ready(two);
  if (!first || !second) throw new Error('there are none');
  expect([first.origin, second.origin]).toEqual(['pool', 'pool']);
  const [a, b] = [await seenBy(first), await seenBy(second)];
  expect(a.pid).not.toBe(b.pid);
  expect(a.env['ONLY_ONE']).toBe('1');
  expect(b.env).not.toHaveProperty('ONLY_ONE');
  expect(b.env['ROUSE_MODEL']).toBe(two.key.split('/')[1]);
  await setup.runtime.want(one, wanted(0));
  setup.runtime.release(first.id);
  await until('it has gone', () => setup.runtime.instances(one.key).length === 0);
  expect(systemProcesses.stat(a.pid)?.isDead ?? true).toBe(true);
});

test('one stands by, five are wanted at once: one begins there, four afresh, all serve', async () => {
  await idle('function');
  const workloads: Workload[] = [];
  for (let n = 0; n < 5; n++) workloads.push(await spy());
  const all = (await Promise.all(workloads.map((workload) => ready(workload)))).flat();
  const origins = all.map(({ origin }) => origin).toSorted();
  expect(origins).toEqual(['fresh', 'fresh', 'fresh', 'fresh', 'pool']);
  for (const [index, instance] of all.entries()) {
    const { env } = await seenBy(instance);
    expect(env['ROUSE_MODEL']).toBe(workloads[index]?.key.split('/')[1]);
  }
  expect(view('function')).toMatchObject({ hits: 1, misses: { empty: 4 } });
  clock.advance(QUIET_MS);
  await until('another one stands by', () => view('function')?.idle === 1);
});

test.each([
  ['NODE_OPTIONS', '--no-warnings'],
  ['TZ', 'Asia/Tokyo'],
])('what must be known before the start is started afresh: %s', async (name, value) => {
  await idle('function');
  const [instance] = await ready(await spy({ env: { [name]: value } }));
  expect(instance?.origin).toBe('fresh');
  expect(view('function')).toMatchObject({ idle: 1, hits: 0, misses: { environment: 1 } });
});

test('killed while it stands by, it is replaced, and no start fails', async () => {
  await idle('function');
  const [pid = 0] = standbys();
  process.kill(pid, 'SIGKILL');
  await until('it is missed', () => view('function')?.idle === 0);
  const [instance] = await ready(await spy());
  expect(instance?.origin).toBe('fresh');
  clock.advance(RETRY_MS);
  await until('another one stands by', () => view('function')?.idle === 1);
  expect(setup.events.filter(({ type }) => type === 'failed')).toEqual([]);
});

test('killed while it is given its work, the start goes on afresh', async () => {
  await idle('function');
  const [pid = 0] = standbys();
  process.kill(pid, 'SIGSTOP');
  const workload = await spy();
  await setup.runtime.want(workload, wanted(1));
  await until('it has its work', () => (setup.runtime.instances()[0]?.startedAt ?? 0) > 0);
  process.kill(pid, 'SIGKILL');
  const [instance] = await ready(workload);
  if (!instance) throw new Error('there is none');
  expect((await seenBy(instance)).env['ROUSE_MODEL']).toBe(workload.key.split('/')[1]);
  expect(setup.events.filter(({ type }) => type === 'failed')).toEqual([]);
  expect(view('function')).toMatchObject({ hits: 0, misses: { died: 1 } });
});

test('what ends after it has its work is a failure like any other', async () => {
  await idle('function');
  const artifact = await setup.putText('bad.ts', 'throw new Error("no weights here");');
  const bad = setup.workload({ runtime: 'function', source: 'bad.ts' }, artifact);
  const failure = await setup.failed(bad);
  expect(failure.reason).toContain('no weights here');
  expect(failure.lastLines.join('\n')).toContain('no weights here');
  await setup.runtime.want(bad, wanted(0));
  await idle('function');
  const workload = await spy();
  const [instance] = await ready(workload);
  expect(instance?.origin).toBe('pool');
  const [pid = 0] = pidsMarked(`${setup.stateId}/${instance?.id}\0`);
  process.kill(pid, 'SIGKILL');
  await until('the crash is told', () =>
    setup.events.some(({ type, instance: { id } }) => type === 'failed' && id === instance?.id),
  );
  const told = setup.events.find(
    (event) => event.type === 'failed' && event.instance.id === instance?.id,
  );
  expect(told).toMatchObject({ reason: expect.stringContaining('SIGKILL'), failures: 0 });
});

test('an order taken back before the process has its work ends the process', async () => {
  await idle('function');
  const [pid = 0] = standbys();
  process.kill(pid, 'SIGSTOP');
  const workload = await spy();
  await setup.runtime.want(workload, wanted(1));
  await until('it has its work', () => (setup.runtime.instances()[0]?.startedAt ?? 0) > 0);
  await setup.runtime.want(workload, wanted(0));
  await until('it has gone', () => setup.runtime.instances().length === 0);
  expect(setup.events.map(({ type }) => type)).toContain('stopped');
  expect(systemProcesses.stat(pid)?.isDead ?? true).toBe(true);
  await setup.runtime.want(workload, wanted(1));
  await setup.runtime.want(workload, wanted(0));
  await until('it has gone', () => setup.runtime.instances().length === 0);
});

test('kinds that are not kept end', async () => {
  await idle('function');
  expect(view('function')?.memoryBytes).toBeGreaterThan(0);
  const pids = standbys();
  expect(pids).toHaveLength(1);
  setup.runtime.pool?.keep([]);
  expect(view('function')).toMatchObject({ starting: 0, idle: 0, memoryBytes: 0 });
  await until('it has gone', () => pids.every((pid) => systemProcesses.stat(pid)?.isDead ?? true));
});
