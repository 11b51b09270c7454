import { writeSync } from 'node:fs';
import type { Taken } from '#store/requests/requests.ts';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';
import { makeNewRequest, NOW, upTo } from './records.ts';

/**
 * Takes over what a killed one has left, then adds requests and ends them, five at a time, and prints each that is
 * acknowledged, until it is killed. Argument: the database.
 */
const [path = ''] = process.argv.slice(2);
const limits = { requests: 1e6, bytes: 1e9, keepMs: 1e9 };
const store = await createSqliteRequests({ path, limits });
await store.recover(NOW);
const answer = { status: 200, fields: '', body: Buffer.from('out') };

async function addOne(): Promise<void> {
  const { request } = await store.requests.add(makeNewRequest());
  writeSync(1, `added ${request.id}\n`);
}

async function endOne({ request: { id, attempts } }: Taken): Promise<void> {
  const outcome = { state: 'done', reason: '', answer } as const;
  const ended = await store.requests.settle(id, attempts, outcome, NOW);
  if (ended) writeSync(1, `ended ${id}\n`);
}

/** At once, as what is added: each commit waits for the disk. */
async function endSome(): Promise<void> {
  await Promise.all((await store.requests.take('default/digits', upTo(5), NOW)).map(endOne));
}

for (;;) await Promise.all([addOne(), addOne(), addOne(), addOne(), addOne(), endSome()]);
