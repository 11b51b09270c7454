import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach } from 'vitest';
import type { RoutingModel } from '#domain/routing.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { type BareInstance, startBareInstance } from './bare-instance.ts';
import {
  type Harness,
  type Instance,
  makeInstance,
  makeModel,
  startHarness,
  startInstance,
} from './harness.ts';

type Handler = (incoming: IncomingMessage, response: ServerResponse) => unknown;

/** The data plane of the test that runs, and what ends with it. */
export interface UsedHarness extends Harness {
  /** `end` is called after the test, when the data plane has ended: newest first, also when the test failed. */
  teardown(end: () => unknown): void;
  /** An instance of which nobody knows yet. */
  startInstance(handler: Handler): Promise<Instance>;
  /** An instance on bare sockets of which nobody knows yet. */
  startBareInstance(onConnection: (socket: Socket) => void): Promise<BareInstance>;
  /** Tells the data plane of a model, and of its instance if there is one at `port`. */
  publish(model?: RoutingModel, port?: number): Promise<void>;
  /** A model with an instance. */
  serve(handler: Handler, model?: RoutingModel): Promise<Instance>;
  /** Waits until at least so many requests wait. */
  untilQueued(count: number): Promise<void>;
}

/** Starts a data plane before each test of a file, and ends it after it, with all that was started for it. */
export function useHarness(...options: Parameters<typeof startHarness>): UsedHarness {
  const teardown = useTeardown();
  let current: Harness | undefined;

  function running(): Harness {
    if (!current) throw new Error('no test runs, so there is no data plane');
    return current;
  }

  async function endingWithTest<T extends { close(): Promise<void> }>(starting: Promise<T>) {
    const instance = await starting;
    teardown(() => instance.close());
    return instance;
  }

  const startOne = (handler: Handler): Promise<Instance> =>
    endingWithTest(startInstance((incoming, response) => void handler(incoming, response)));

  async function publish(model = makeModel(), port?: number): Promise<void> {
    const instances = port === undefined ? [] : [makeInstance(port)];
    running().publisher.update({ models: [model], instances });
    await running().activator.ready;
  }

  beforeEach(async () => {
    current = await startHarness(...options);
  });
  afterEach(async () => {
    const ended = current;
    current = undefined;
    await ended?.close();
  });
  return {
    get activator() {
      return running().activator;
    },
    get publisher() {
      return running().publisher;
    },
    get port() {
      return running().port;
    },
    get reports() {
      return running().reports;
    },
    report: (type, fits) => running().report(type, fits),
    onReport: (listener) => running().onReport(listener),
    scrape: () => running().scrape(),
    gauge: (name) => running().gauge(name),
    close: () => running().close(),
    teardown,
    startInstance: startOne,
    startBareInstance: (onConnection) => endingWithTest(startBareInstance(onConnection)),
    publish,
    async serve(handler, model) {
      const instance = await startOne(handler);
      await publish(model, instance.port);
      return instance;
    },
    async untilQueued(count) {
      await until(`${count} wait`, async () => {
        return (await running().gauge('rouse_queue_depth')) >= count;
      });
    },
  };
}
