import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RevisionSpecInput } from '#domain/model.ts';
import type { Workload } from '#runtime/runtime.ts';
import { createFakeClock, type FakeClock, letFlow } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { wanted } from '../../conformance.ts';
import {
  createLocalSetup,
  type Failure,
  isStopped,
  type LocalSetup,
  pidsMarked,
  programArgs,
} from '../harness.ts';
import { ask, seenBy } from '../../request.ts';

let setup: LocalSetup;
let clock: FakeClock;
/** Time goes on by itself; a test lets more of it pass. */
let endFlow: () => void;

beforeEach(async () => {
  clock = createFakeClock();
  endFlow = letFlow(clock);
  setup = await createLocalSetup({ clock });
});
afterEach(async () => {
  await setup.close();
  endFlow();
});

function command(mode: string, spec: Partial<RevisionSpecInput> = {}): Workload {
  return setup.workload({ runtime: 'command', args: programArgs(mode), ...spec });
}

/** Its time to get ready is over as soon as it has come so far. */
async function late(workload: Workload, isSoFar: () => Promise<boolean>): Promise<Failure> {
  await setup.runtime.want(workload, wanted(1));
  await until('it has come so far', isSoFar);
  clock.advance(60_000);
  return await setup.failed(workload);
}

async function hasSaid(workload: Workload, line: string): Promise<boolean> {
  return (await setup.runtime.logs(workload.key, 100)).some(({ text }) => text === line);
}

describe('readiness of a stranger', () => {
  test('on $PORT: it is ready when it answers', async () => {
    const { address } = await setup.ready(command('serve'));
    expect(address).toMatchObject({ node: 'here', host: '127.0.0.1' });
    expect((await ask(address)).status).toBe(200);
  });

  test('without a path any answer below 500 will do', async () => {
    const { address } = await setup.ready(command('lost'));
    expect((await ask(address)).status).toBe(404);
  });

  test('with a path it is asked until the status is right', async () => {
    const workload = command('late', { readiness: { path: '/health' } });
    expect((await seenBy(await setup.ready(workload))).asked).toBe(5);
  });

  test('with a path any status from 200 to 299 will do', async () => {
    const { address } = await setup.ready(command('brim', { readiness: { path: '/health' } }));
    expect((await ask(address)).status).toBe(299);
  });

  test.each(['lost', 'moved'])('with a path what answers as %s is not ready', async (mode) => {
    const workload = command(mode, { readiness: { path: '/health' } });
    const { reason } = await late(workload, () => hasSaid(workload, 'answered'));
    expect(reason).toMatch(/^not ready within 60s: GET \/health answered (404|30\d)$/);
  });

  test('on an inherited socket one request is sent, and its answer is the readiness', async () => {
    const workload = command('', { args: programArgs('serve', '${LISTEN_FD}') });
    const { env, asked } = await seenBy(await setup.ready(workload));
    expect(asked).toBe(2);
    expect(env['LISTEN_FDS']).toBe('1');
  });

  test('what takes connections and never answers fails when its time is over', async () => {
    const workload = command('silent');
    const { reason, failures } = await late(workload, () => hasSaid(workload, 'asked'));
    expect(reason).toBe('not ready within 60s: GET / has no answer');
    expect(failures).toBe(1);
  });

  test('what freezes itself fails, too, and is gone', async () => {
    const event = await late(command('freeze'), async () =>
      pidsMarked(setup.stateId).some(isStopped),
    );
    expect(event.reason).toMatch(/^not ready within 60s/);
    expect(pidsMarked(`${setup.stateId}/${event.instance.id}\0`)).toEqual([]);
  });

  test('instances have ports of their own', async () => {
    const workload = command('serve');
    await setup.runtime.want(workload, wanted(3));
    const ready = () => setup.runtime.instances().filter(({ state }) => state === 'ready');
    await until('three are ready', () => ready().length === 3);
    const ports = ready().map(({ address }) => (address && 'port' in address ? address.port : 0));
    expect(new Set(ports).size).toBe(3);
    expect(ports).not.toContain(0);
  });
});

describe('readiness of a server of ours', () => {
  async function server(behaviour: string): Promise<Workload> {
    const artifact = await setup.putText('model.js', behaviour);
    return setup.workload({ runtime: 'function', source: 'model.js' }, artifact);
  }

  test('it says so, and listens on its Unix socket', async () => {
    const { address } = await setup.ready(await server('sound'));
    expect((await ask(address)).status).toBe(200);
  });

  test('a line that it should not say is quoted', async () => {
    const { reason } = await setup.failed(await server('babble'));
    expect(reason).toContain('its readiness pipe says ready!');
  });

  test('a line without an end is ended', async () => {
    const { reason } = await setup.failed(await server('endless'));
    expect(reason).toContain('its readiness pipe says xxx');
  });

  const tensor = { name: 'text', datatype: 'BYTES', shape: [-1] };

  test('what it says of itself is told with it', async () => {
    const inputs = [{ ...tensor, labels: ['é'.repeat(40_000)] }];
    const metadata = { platform: 'test', inputs, outputs: [tensor] };
    const workload = await server(`says ${JSON.stringify(metadata)}`);
    expect((await setup.ready(workload)).metadata).toEqual(metadata);
    expect(setup.runtime.instances(workload.key)).toMatchObject([{ metadata }]);
  });

  test.each([
    ['no object', 5, /its readiness pipe says metadata: .*expected object/],
    ['no platform', {}, /its readiness pipe says metadata\.platform: /],
    [
      'a shape that is none',
      { platform: 'p', inputs: [{ ...tensor, shape: ['x'] }] },
      /its readiness pipe says metadata\.inputs\.0\.shape\.0: /,
    ],
    [
      'something that nobody knows',
      { platform: 'p', secret: 1 },
      /its readiness pipe says metadata: .*secret/,
    ],
    [
      'more than there is room for',
      { platform: 'p', inputs: [{ ...tensor, name: 'é'.repeat(50_000) }] },
      /its inputs and outputs take 1\d{5} bytes, expected at most 98304$/,
    ],
  ])('metadata that is %s fails the start', async (_name, metadata, said) => {
    const { reason } = await setup.failed(await server(`says ${JSON.stringify(metadata)}`));
    expect(reason).toMatch(said);
  });

  test('why a model does not load is in the reason, its output beside it', async () => {
    const { reason, lastLines } = await setup.failed(await server('broken /nowhere'));
    expect(reason).toMatch(/^no such weights$/);
    expect(lastLines).toEqual(['this model is broken']);
  });
});

test('a url keeps its parts as an address', async () => {
  const workload = setup.workload({ runtime: 'url', source: 'https://models.example/v1/a/' });
  const { address } = await setup.ready(workload);
  expect(address).toEqual({
    node: 'here',
    host: 'models.example',
    port: 443,
    tls: true,
    authority: 'models.example',
    basePath: '/v1/a',
  });
});
