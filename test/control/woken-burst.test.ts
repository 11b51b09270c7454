import { beforeEach, expect, test } from 'vitest';
import type { Waiter } from '#activator/gate/gate.ts';
import { type ControlLink, createControlLink } from '#activator/link/control-link.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import { createDirectBus } from '#bus/direct.ts';
import { createPublisher } from '#bus/publisher.ts';
import { Timers } from '#lib/timers.ts';
import { NORMAL } from '#policies/priority.ts';
import { QueueFields } from '#test/activator/gate/queue-fields.ts';
import { useTeardown } from '#test/teardown.ts';
import { type Harness, createHarness, deployed, program, rest } from './harness.ts';

/** Control and a data plane, with the bus between them, on a clock that stands still. */

const teardown = useTeardown();
let harness: Harness;
let link: ControlLink;
beforeEach(async () => {
  harness = await createHarness();
  teardown(() => harness.close());
  link = startLink();
  teardown(() => link.close());
});

function startLink(): ControlLink {
  const { host, client } = createDirectBus();
  const { clock, outlet } = harness;
  const publisher = createPublisher({ host, epoch: 'test', clock });
  outlet.watch(() => publisher.update(outlet.updates.at(-1)!));
  publisher.onUpward((dataPlane, message) => outlet.say(message, dataPlane));
  const timers = new Timers(clock);
  teardown(() => timers.close());
  const domain = 'localhost';
  return createControlLink({ client, dataPlane: 'one', domain, clock, timers, roll: () => 0 });
}

class Request extends QueueFields implements Waiter<InstanceRoute> {
  readonly callerId = 'a';
  readonly priority = NORMAL;
  readonly arrivedAt = harness.clock.now();
  readonly heldBytes = 0;
  instance: InstanceRoute | undefined;

  onGranted(instance: InstanceRoute): void {
    this.instance = instance;
  }

  onRefused(): void {}
}

function ask(key: string): Request {
  const request = new Request();
  link.routes.findRevision(key)?.gate.enter(request, 60_000);
  return request;
}

/** Its instance is told to data planes as in this state, after a first use. */
async function untilTold(state: 'dozing' | 'parked'): Promise<string> {
  const key = await deployed(harness, {
    revision: program({ concurrency: 1, resources: { memory: '10Mi' } }),
    scaling: { max: 20 },
    keepAlive: { policy: 'fixed', idle: '0s', park: '10m' },
  });
  const first = ask(key);
  await harness.pass(1);
  first.instance?.gate.leave(first.instance);
  const told = (): string | undefined => [...harness.outlet.instances.values()][0]?.state;
  for (let seconds = 0; told() !== state; seconds += 1) {
    expect(seconds).toBeLessThan(30);
    await harness.pass(1);
  }
  return key;
}

function running(key: string): number {
  return harness.runtime
    .instances(key)
    .filter(({ state }) => state === 'starting' || state === 'ready').length;
}

/** It is told how many wait each time that their number doubles: here last of all of them, but for the one that runs. */
const BURST = 1 + 8;

test.each(['dozing', 'parked'] as const)(
  'a burst on what is %s has as many started at once as it fills',
  async (state) => {
    const key = await untilTold(state);
    const burst = Array.from({ length: BURST }, () => ask(key));
    await rest();
    expect(running(key)).toBe(BURST);
    expect(burst.filter(({ instance }) => instance)).toHaveLength(1);
    await harness.pass(1);
    expect(burst.filter(({ instance }) => instance)).toHaveLength(BURST);
  },
);

test('a request that is sent to what dozes counts as running, not as waiting, and needs no other instance', async () => {
  const key = await untilTold('dozing');
  expect(ask(key).instance).toBeDefined();
  await rest();
  const told = (await harness.events('ScaleDecided')).at(-1);
  expect(told).toMatchObject({ data: { seen: { queued: 0, inFlight: 1, ready: 1, woken: 1 } } });
  expect(told?.why).toContain('(woken just now): 0 waiting, 1 running on 1 ready');
  await harness.pass(3);
  expect(running(key)).toBe(1);
});
