import { chmod, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { faultOf } from '#lib/sqlite-fault.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import { testStore } from './conformance.ts';
import { modelRecord } from './records.ts';
import { stateFolder } from './state-folder.ts';
import { withTinyDisk } from './tiny-disk.ts';

testStore('sqlite in a file', async (clock) => {
  const { folder, remove } = await stateFolder();
  return { store: await createSqliteStore({ path: join(folder, 'rouse.db'), clock }), remove };
});

testStore('sqlite in memory', async (clock) => ({
  store: await createSqliteStore({ path: ':memory:', clock }),
  remove: () => Promise.resolve(),
}));

async function databasePath(): Promise<string> {
  const { folder, remove } = await stateFolder();
  onTestFinished(remove);
  return join(folder, 'state', 'rouse.db');
}

const open = (path: string) => createSqliteStore({ path, clock: systemClock });

async function filled(models = 200): Promise<string> {
  const path = await databasePath();
  const store = await open(path);
  for (let n = 0; n < models; n++) {
    void store.write([{ kind: 'model', key: `default/m${n}`, value: modelRecord(`m${n}`) }]);
  }
  await store.close();
  return path;
}

describe('the file', () => {
  test('only its owner may read the database and what lies beside it', async () => {
    const path = await databasePath();
    const store = await open(path);
    await store.write([{ kind: 'memory', key: 'a', value: {} }]);
    for (const suffix of ['', '-wal', '-shm']) {
      expect((await stat(path + suffix)).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test('what was written is there after it was closed and opened', async () => {
    const store = await open(await filled());
    expect(await store.list('model')).toHaveLength(200);
    expect((await store.list('model', { limit: 1 }))[0]?.value).toEqual(modelRecord('m0'));
    await store.close();
  });

  test.each([
    ['no database', (path: string) => writeFile(path, 'x'.repeat(10_000)), /is no SQLite database/],
    ['cut off', (path: string) => truncate(path, 20_000), /is damaged/],
    [
      'overwritten in the middle',
      async (path: string) => {
        const bytes = await readFile(path);
        await writeFile(path, bytes.fill(7, 8 * 4096, bytes.length));
      },
      /is damaged/,
    ],
  ])('a file that is %s is refused by name, and stays as it is', async (_, harm, message) => {
    const path = await filled();
    await harm(path);
    const before = await readFile(path);
    const error = await open(path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'internal', message: expect.stringMatching(message) });
    expect(error).toMatchObject({ message: expect.stringContaining(path) });
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  test('a database of a newer version is refused, and stays as it is', async () => {
    const path = await filled(1);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 1000');
    db.close();
    await expect(open(path)).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/version 1000, this Rouse knows up to \d+/),
    });
    const again = new DatabaseSync(path);
    expect(again.prepare('SELECT count(*) AS n FROM record').get()?.['n']).toBe(1);
    again.close();
  });

  test('a folder, and a path below a file, are refused by name', async () => {
    const path = await databasePath();
    await mkdir(path, { recursive: true });
    await writeFile(`${path}.file`, '');
    for (const odd of [path, `${path}.file/rouse.db`]) {
      await expect(open(odd)).rejects.toMatchObject({
        code: 'internal',
        message: expect.stringContaining(odd),
      });
    }
  });

  test.skipIf(process.getuid?.() === 0)(
    'no permission is said so (cannot be tried as root, who may do everything)',
    async () => {
      const path = await filled(1);
      await chmod(path, 0);
      await expect(open(path)).rejects.toMatchObject({
        code: 'internal',
        message: expect.stringContaining('check its owner and mode'),
      });
    },
  );

  test('a database that another process keeps locked is unavailable', async () => {
    const path = await filled(1);
    const other = new DatabaseSync(path);
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    onTestFinished(() => other.close());
    await expect(open(path)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

test('a full disk is storage_full; what was acknowledged stays, and with room writing goes on', async (context) => {
  await withTinyDisk(context, async (disk) => {
    const path = join(disk, 'rouse.db');
    const ballast = join(disk, 'ballast');
    await writeFile(ballast, Buffer.alloc(2 ** 20));
    const store = await open(path);
    const filler = { text: 'x'.repeat(100_000) };
    const write = (n: number) => store.write([{ kind: 'memory', key: `k${n}`, value: filler }]);
    let acknowledged = 0;
    let fault: unknown;
    while (!fault && acknowledged < 1000) {
      await write(acknowledged).then(
        () => acknowledged++,
        (error: unknown) => (fault = error),
      );
    }
    expect(fault).toMatchObject({
      code: 'storage_full',
      message: expect.stringContaining(path),
    });
    expect(acknowledged).toBeGreaterThan(5);
    expect(await store.list('memory')).toHaveLength(acknowledged);
    await rm(ballast);
    await write(acknowledged++);
    await store.close();
    const again = await open(path);
    expect(await again.list('memory')).toHaveLength(acknowledged);
    await again.close();
  });
});

test('what SQLite and the file system say becomes a Fault that says what to do', () => {
  const failed = (fields: object) => Object.assign(new Error('low level'), fields);
  const seen = (fields: object) => faultOf(failed(fields), '/state/rouse.db');
  const database = (text: string) => expect.stringContaining(`database /state/rouse.db ${text}`);
  const internal = (text: string) => ({ code: 'internal', message: database(text) });
  expect(seen({ code: 'EACCES' })).toMatchObject(internal('cannot be opened: check'));
  expect(seen({ errcode: 8 })).toMatchObject(internal('cannot be written: check its owner'));
  expect(seen({ errcode: 10 | (3 << 8) })).toMatchObject(internal('could not be read or written'));
  expect(seen({ errcode: 1 })).toMatchObject(internal('failed (low level)'));
  expect(seen({ errcode: 4874 })).toMatchObject({ code: 'storage_full' });
  expect(seen({ code: 'ENOSPC' })).toMatchObject({ code: 'storage_full' });
});
