import { beforeEach, describe, expect, test } from 'vitest';
import { createLeadership, type Leadership } from '#knative/ingress/leadership.ts';
import { createConnection } from '#knative/api/client.ts';
import { createKube, type Kube } from '#knative/api/kube.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { type ApiServer, makeStatus, startApiServer } from '../api-server.ts';

const LEASES = { root: '/apis/coordination.k8s.io/v1', plural: 'leases' };
const PLACE = ['rouse-system', 'rouse-ingress'] as const;

const teardown = useTeardown();
let api: ApiServer;
let kube: Kube;

beforeEach(async () => {
  api = await startApiServer();
  teardown(() => api.close());
  const connection = await createConnection(api.kubeconfig);
  teardown(() => connection.close());
  kube = createKube(connection, systemClock);
});

interface Candidate extends Leadership {
  /** Lets time pass for this one, and waits until it has looked at the lease. */
  pass(ms: number): Promise<void>;
  readonly leads: number;
}

function start(identity: string, at: Kube = kube): Candidate {
  const clock = createFakeClock();
  const looked: number[] = [];
  let leads = 0;
  const watched: Kube = {
    ...at,
    get: async (...of) => {
      looked.push(clock.now());
      return await at.get(...of);
    },
  };
  const [namespace, name] = PLACE;
  const made = createLeadership({
    kube: watched,
    namespace,
    name,
    identity,
    onLead: () => (leads += 1),
    clock,
    log: silentLog,
  });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (!isClosed) await made.close();
    isClosed = true;
  };
  teardown(close);
  return {
    get isLeader() {
      return made.isLeader;
    },
    get leads() {
      return leads;
    },
    close,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 2000) {
        await until('it waits', () => clock.pending > 0);
        const before = looked.length;
        clock.advance(2000);
        await until('it has looked', () => looked.length > before && clock.pending > 0);
      }
    },
  };
}

const holder = (): unknown =>
  (api.store.get(LEASES, ...PLACE)?.spec as { holderIdentity: string } | undefined)?.holderIdentity;

describe('of several', () => {
  test('one leads, and another one when that has said nothing for long enough', async () => {
    const one = start('one');
    await until('one leads', () => one.isLeader);
    const two = start('two');
    await two.pass(14_000);
    expect([holder(), two.isLeader]).toEqual(['one', false]);
    // It lives: what counts is when the renewal was seen here.
    await one.pass(2000);
    await two.pass(14_000);
    expect(two.isLeader).toBe(false);
    await two.pass(4000);
    expect([holder(), two.isLeader, two.leads]).toEqual(['two', true, 1]);
  });

  test('who cannot renew stops before others may begin', async () => {
    const one = start('one');
    await until('one leads', () => one.isLeader);
    api.refuse(/leases/, 503, makeStatus(503, 'Unavailable', 'away'), 100);
    await one.pass(8000);
    expect(one.isLeader).toBe(true);
    await one.pass(4000);
    expect(one.isLeader).toBe(false);
  });

  test('who sees that another one has it leads no more, however it came to that', async () => {
    const one = start('one');
    await until('one leads', () => one.isLeader);
    const [namespace, name] = PLACE;
    const spec = { holderIdentity: 'two', renewTime: '2026-01-01T00:00:00Z' };
    api.store.put(LEASES, { metadata: { namespace, name }, spec } as never);
    await one.pass(2000);
    expect([holder(), one.isLeader]).toEqual(['two', false]);
  });

  test('who ends gives it back: the next need not wait', async () => {
    const one = start('one');
    await until('one leads', () => one.isLeader);
    await one.close();
    expect(holder()).toBe('');
    const two = start('two');
    await until('two leads', () => two.isLeader);
    expect(one.isLeader).toBe(false);
  });

  test('of two that take it at once one does', async () => {
    const both = Promise.withResolvers<void>();
    let read = 0;
    // Each has read that there is none before either writes.
    const slow: Kube = {
      ...kube,
      get: async (...of) => {
        const lease = await kube.get(...of);
        read += 1;
        if (read === 2) both.resolve();
        await both.promise;
        return lease;
      },
    };
    const candidates = [start('one', slow), start('two', slow)];
    await until('one leads', () => candidates.some(({ isLeader }) => isLeader));
    await Promise.all(candidates.map((each) => each.pass(2000)));
    expect(candidates.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  });
});
