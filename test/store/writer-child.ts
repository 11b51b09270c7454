import { writeSync } from 'node:fs';
import { systemClock } from '#lib/clock.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import { eventOf, modelRecord } from './records.ts';

/**
 * Writes numbered pairs of records with an event, five at a time, and prints each number once it is
 * acknowledged, until it is killed. Arguments: the database, the first number.
 */
const [path = '', first = ''] = process.argv.slice(2);
const store = await createSqliteStore({ path, clock: systemClock });

async function writePair(n: number): Promise<void> {
  await store.write(
    [
      { kind: 'model', key: `default/m${n}`, expected: 0, value: modelRecord(`m${n}`) },
      { kind: 'memory', key: `${n}`, expected: 0, value: { n } },
    ],
    { events: [eventOf(`m${n}`)] },
  );
  writeSync(1, `${n}\n`);
}

for (let n = Number(first); ; n += 5) {
  await Promise.all([n, n + 1, n + 2, n + 3, n + 4].map(writePair));
}
