import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createDispatcher } from '#control/requests/dispatcher.ts';
import type { Sender } from '#control/requests/send.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';
import { makeNewRequest } from '#test/store/requests/records.ts';
import { stateFolder } from '#test/store/state-folder.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

const end = useTeardown();
const LIMITS = { requests: 1000, bytes: 2 ** 30, keepMs: 3_600_000 };
const ANSWER = 8 * 2 ** 20;
const REQUESTS = 24;

test('of answers so many bytes are in hand as memory is meant for, until they are stored', async () => {
  const { folder, remove } = await stateFolder();
  end(remove);
  const store = await createSqliteRequests({ path: join(folder, 'r.db'), limits: LIMITS });
  end(() => store.close());
  const { requests: queue } = store;
  const now = systemClock.now();
  for (let count = 0; count < REQUESTS; count++) {
    await queue.add(makeNewRequest({ createdAt: now, beginBy: now + 3_600_000, nextAt: now }));
  }
  let asked = 0;
  let read = 0;
  let done = 0;
  const sender: Pick<Sender, 'send'> = {
    async send(_taken, place) {
      asked++;
      await place.add(ANSWER);
      read++;
      const answer = { status: 200, fields: '', body: Buffer.alloc(0) };
      return { how: 'answered', status: 200, retryAfterMs: 0, reason: '', answer };
    },
  };
  const storing = Promise.withResolvers<void>();
  const dispatcher = createDispatcher({
    queue: {
      lanes: (at) => queue.lanes(at),
      take: (lane, room, at) => queue.take(lane, room, at),
      async settle(...told) {
        await storing.promise;
        return await queue.settle(...told);
      },
    },
    sender,
    onChange: ({ state }) => void (done += state === 'done' ? 1 : 0),
    clock: systemClock,
    log: silentLog,
    random: Math.random,
  });
  end(() => dispatcher.close());
  dispatcher.ask();
  await until('all of them are asked for', () => asked === REQUESTS);
  await until('as many are read as may be', () => read >= 9);
  // A turn for each that is not kept from it.
  await store.requests.counts();
  expect(read).toBe(9);
  storing.resolve();
  await until('all of them are stored', () => done === REQUESTS);
});
