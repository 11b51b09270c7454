import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { takeDataFolder } from '#serve/data-folder.ts';

/** Each with the start of a process: ten seconds for one. */
const ROUNDS = 20;
/** So that all have read of it before it is there. */
const HEAD_START_MS = 20;

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-folder-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface Racer {
  readonly pid: number | undefined;
  readonly process: ChildProcess;
  readonly line: () => Promise<string>;
}

async function startRacer(folder: string): Promise<Racer> {
  const program = resolve(import.meta.dirname, 'folder-child.ts');
  const child = spawn(process.execPath, [program, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => kill(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  expect(await line()).toBe('here');
  return { pid: child.pid, process: child, line };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function race(racers: readonly Racer[]): Promise<string[]> {
  const at = Date.now() + HEAD_START_MS;
  for (const { process } of racers) process.stdin?.write(`${at}\n`);
  return await Promise.all(racers.map(({ line }) => line()));
}

test('of three that come at once over what a dead one left, one gets the folder', async () => {
  const folder = await makeFolder();
  const racers = await Promise.all([1, 2, 3].map(() => startRacer(folder)));
  for (let round = 0; round < ROUNDS; round += 1) {
    // Those that do not get it wait for half a second: meanwhile the next one starts.
    const [said, next] = await Promise.all([race(racers), startRacer(folder)]);
    expect(
      said.filter((line) => line === 'taken'),
      said.join('\n'),
    ).toHaveLength(1);
    const first = said.indexOf('taken');
    const owner = racers[first];
    if (!owner) throw new Error('nobody has it');
    for (const line of said.toSpliced(first, 1)) {
      expect(line).toMatch(
        new RegExp(`in use by the Rouse with process id ${owner.pid}\\.|being taken by another`),
      );
    }
    await kill(owner.process);
    racers[first] = next;
  }
}, 200_000);

test('a folder that is taken is refused with its owner, and free after its release', async () => {
  const folder = await makeFolder();
  const taken = takeDataFolder(folder);
  expect(() => takeDataFolder(folder)).toThrow(
    `The data folder ${folder} is in use by the Rouse with process id ${process.pid}. ` +
      'Stop that one, or choose another folder by --data.',
  );
  expect((await stat(join(folder, 'lock.db'))).mode & 0o777).toBe(0o600);
  taken.release();
  const again = takeDataFolder(folder);
  expect(again.stateId).toBe(taken.stateId);
  expect(await readFile(join(folder, 'owner'), 'utf8')).toBe(String(process.pid));
  again.release();
});

test('what names a process that lives, but not the owner, keeps nobody out', async () => {
  const folder = await makeFolder();
  await writeFile(join(folder, 'owner'), String(process.ppid));
  takeDataFolder(folder).release();
});

test('a folder that cannot be used is refused by name', async () => {
  const file = join(await makeFolder(), 'file');
  await writeFile(file, '');
  expect(() => takeDataFolder(file)).toThrow(`The data folder ${file} cannot be used`);
});
