import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { partsOfModelKey } from '#domain/names.ts';
import { messageOf } from '#lib/fault.ts';
import { applyModel, applySchedule, checkSources, localSourcesOf } from './apply.ts';
import type { Client } from './client.ts';
import { findDocuments, type Found, type FoundModel } from './documents.ts';
import type { Io } from './io.ts';
import { formatLine } from './commands/apply.ts';
import { suggest } from './suggest.ts';
import { waitUntilSettled } from './wait.ts';

/**
 * Follows a folder of files of models and schedules. The file system only says that something may have changed: what has is
 * found by comparing each document, and each file that it is made of, with what was applied last.
 *
 * Invariants: one look at a time; a file with a problem changes nothing and holds up no other; a document
 * that is gone is told of and its model or schedule stays.
 */
export interface FolderWatch {
  /** Resolves when the look that is under way, if any, has ended. */
  close(): Promise<void>;
}

/** An editor writes a file in several steps; one look after the last of them is enough. */
const SETTLE_MS = 150;
/** What is known of a schedule stands behind this and its key; of a model, behind its key. */
const SCHEDULE = 'schedule ';
/** A source of more files than this is compared by its folders alone. */
const MAX_STAMPED = 10_000;

export async function watchFolder(
  client: Client,
  folder: string,
  io: Pick<Io, 'cwd' | 'clock' | 'stdout' | 'stderr' | 'signal'>,
): Promise<FolderWatch> {
  const root = resolve(io.cwd, folder);
  const watchers = new Map<string, FSWatcher>();
  let stamps = new Map<string, string>();
  let looking: Promise<void> = Promise.resolve();
  let timer = io.clock.after(0, () => undefined);
  let closed = false;

  function soon(): void {
    timer.cancel();
    timer = io.clock.after(SETTLE_MS, () => {
      if (!closed) looking = looking.then(look);
    });
  }

  function follow(path: string): void {
    if (watchers.has(path)) return;
    try {
      const watcher = watch(path, { recursive: true }, soon);
      watcher.on('error', (error) => tell(`${path} is not followed any more: ${messageOf(error)}`));
      watchers.set(path, watcher);
    } catch (error) {
      tell(`${path} cannot be followed: ${messageOf(error)}`);
    }
  }

  async function look(): Promise<void> {
    try {
      const { models, schedules, next, broken } = await readFolder();
      const isOther = (key: string): boolean => next.get(key) !== stamps.get(key);
      const changed = models.filter(({ key }) => isOther(key));
      const rescheduled = schedules.filter(({ key }) => isOther(SCHEDULE + key));
      reportGone(next, broken);
      stamps = next;
      for (const model of changed) if (!closed) await applyOne(model);
      for (const schedule of rescheduled) if (!closed) await applyTimes(schedule);
    } catch (error) {
      tell(messageOf(error));
    }
  }

  /** What is there now; what a broken file held counts as it was. */
  async function readFolder() {
    const found = await checkSources(await findDocuments([root], { cwd: io.cwd }));
    const broken = new Set(found.problems.map(({ file }) => file));
    for (const { text } of found.problems) tell(text);
    const models = found.models.filter(({ file }) => !broken.has(file));
    const schedules = found.schedules.filter(({ file }) => !broken.has(file));
    const next = new Map<string, string>();
    for (const model of models) {
      for (const source of localSourcesOf(model)) if (isOutside(root, source)) follow(source);
      next.set(model.key, await stampOf(model));
    }
    for (const { key, input } of schedules) next.set(SCHEDULE + key, JSON.stringify(input));
    return { models, schedules, next, broken: broken.size > 0 };
  }

  function reportGone(next: Map<string, string>, broken: boolean): void {
    for (const [key, stamp] of stamps) {
      if (next.has(key)) continue;
      if (broken) next.set(key, stamp);
      else tell(`the file of ${key} is gone. ${removalOf(key)}`);
    }
  }

  function removalOf(key: string): string {
    const isSchedule = key.startsWith(SCHEDULE);
    const what = isSchedule ? ['schedule', 'delete'] : ['delete'];
    const { namespace, model: name } = partsOfModelKey(key.slice(isSchedule ? SCHEDULE.length : 0));
    const command = suggest([...what, name], { server: client.server, namespace });
    return `The ${isSchedule ? 'schedule' : 'model'} stays; to remove it: ${command}`;
  }

  async function applyTimes(schedule: Found['schedules'][number]): Promise<void> {
    try {
      io.stdout.write(await applySchedule(client, schedule));
    } catch (error) {
      stamps.delete(SCHEDULE + schedule.key);
      tell(messageOf(error));
    }
  }

  async function applyOne(model: FoundModel): Promise<void> {
    try {
      const applied = await applyModel(client, model, io.stderr);
      if (applied.outcome === 'unchanged') return;
      const settled = await waitUntilSettled(client, applied, io);
      io.stdout.write(formatLine(applied, settled));
      for (const reason of settled.reasons) tell(reason);
    } catch (error) {
      stamps.delete(model.key);
      tell(messageOf(error));
    }
  }

  function tell(text: string): void {
    if (!closed) io.stderr.write(`rouse: ${text}\n`);
  }

  follow(root);
  stamps = (await readFolder()).next;
  return {
    async close() {
      closed = true;
      timer.cancel();
      for (const watcher of watchers.values()) watcher.close();
      await looking;
    },
  };
}

/** Changes whenever the document does, or a file that it is made of. */
async function stampOf(model: FoundModel): Promise<string> {
  const parts = [JSON.stringify(model.input)];
  for (const source of localSourcesOf(model)) parts.push(await stampOfPath(source));
  return parts.join('\n');
}

async function stampOfPath(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return `${path} gone`;
  const own = `${path} ${found.mtimeMs} ${found.size} ${found.ino}`;
  if (!found.isDirectory()) return own;
  const names = await readdir(path, { recursive: true });
  const stamps = [own];
  for (const name of names.sort().slice(0, MAX_STAMPED)) {
    const entry = await stat(join(path, name)).catch(() => undefined);
    stamps.push(`${name} ${entry?.mtimeMs} ${entry?.size}`);
  }
  return stamps.join('\n');
}

function isOutside(root: string, path: string): boolean {
  return relative(root, path).startsWith('..');
}
