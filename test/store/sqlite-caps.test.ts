import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { migrate } from '#store/migrations.ts';
import { createEvents } from '#store/sqlite-events.ts';
import { createMeasures } from '#store/sqlite-measures.ts';
import { createRecords } from '#store/sqlite-records.ts';
import { eventOf, measureOf } from './records.ts';

function database(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  onTestFinished(() => db.close());
  migrate(db, ':memory:');
  return db;
}

const counterOf = (db: DatabaseSync, name: string) =>
  db.prepare('SELECT value FROM counter WHERE name = ?').get(name)?.['value'];

test('events are capped in all, the oldest go first, and the count stays true', () => {
  const db = database();
  const events = createEvents(db, { perModel: 4, total: 10 });
  for (let n = 0; n < 12; n++) events.append(eventOf(`m${n % 6}`, String(n)));
  const whys = () => events.query({ limit: 100 }).map(({ why }) => Number(why));
  expect(whys()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  for (let n = 12; n < 40; n++) events.append(eventOf('busy', String(n)));
  expect(whys()).toEqual([6, 7, 8, 9, 10, 11, 36, 37, 38, 39]);
  expect(counterOf(db, 'events')).toBe(10);
  expect(events.query({ newest: true, limit: 1 })[0]?.id).toBe(40);
});

test('tombstones are capped; who was away for longer is told to start again', () => {
  const db = database();
  const records = createRecords(db, 3);
  const keys = ['a', 'b', 'c', 'd', 'e'];
  for (const key of keys) records.write({ kind: 'memory', key, value: {} });
  for (const key of keys) records.write({ kind: 'memory', key, value: undefined });
  expect(counterOf(db, 'tombstones')).toBe(3);
  const stale = () => records.changes(6);
  expect(stale).toThrow(expect.objectContaining({ code: 'precondition_failed' }));
  expect(stale).toThrow(/since 7/);
  expect(records.changes(7).map(({ key, deleted }) => [key, deleted])).toEqual([
    ['c', true],
    ['d', true],
    ['e', true],
  ]);
  expect(records.changes(0)).toEqual(records.changes(7));
  records.write({ kind: 'memory', key: 'd', value: {} });
  expect(counterOf(db, 'tombstones')).toBe(2);
  expect(records.changes(7).map(({ key }) => key)).toEqual(['c', 'e', 'd']);
});

test('ids of measures are capped, the oldest go first and count again; the count stays true', () => {
  const db = database();
  const measures = createMeasures(db, { keptMinutes: 100, names: 4, idMinutes: 10, ids: 3 });
  const add = (minute: number, id: string): number =>
    measures.add([{ ...measureOf(minute, 1), id }], minute * 60_000);
  for (const [index, id] of ['a', 'b', 'c'].entries()) expect(add(1000 + index, id)).toBe(0);
  expect(counterOf(db, 'measureIds')).toBe(3);
  expect(add(1003, 'a')).toBe(1);
  expect(add(1004, 'd')).toBe(0);
  expect(counterOf(db, 'measureIds')).toBe(3);
  expect([add(1004, 'b'), add(1004, 'c'), add(1004, 'd')]).toEqual([1, 1, 1]);
  expect(add(1004, 'a')).toBe(0);
  // Ten minutes later what came before is not known any more.
  expect(add(1014, 'd')).toBe(1);
  expect(add(1015, 'd')).toBe(0);
  expect(counterOf(db, 'measureIds')).toBe(1);
});
