import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobRows } from '#domain/job.ts';
import type { RunOrder } from '#domain/job-run.ts';
import { causeOf, codeOf, Fault, type FaultCode, type Problem } from '#lib/fault.ts';
import { moveInto, partialOf } from '../../rows/durable.ts';
import type { OutputColumns, Part, RowRange } from '../checkpoint.ts';
import type { Failures, ReportMemory } from '../report.ts';

/**
 * What a job and its shards tell each other: files in the job's folder, which all of them reach. Each is written by one
 * of them, and replaced as a whole: who reads it finds what was written last, or what was before. Throws Fault
 * `unavailable` when the volume does not do it: a network's may have lost a file that was replaced while it was read.
 */

/** By the job, before there is a shard. */
export interface ShardOrder {
  readonly order: RunOrder;
  /** Of the input, of which the ranges are. */
  readonly version: string;
  /** By the numbers of shards. */
  readonly ranges: readonly RowRange[];
}

/** By a shard, of itself. */
export interface ShardStatus {
  readonly rows: JobRows;
  readonly rowsPerSecond: number;
  readonly batchSize: number;
  /** Why its rows have failed. */
  readonly failures?: Failures;
  /** Nothing will come of it. */
  readonly failure?: ShardFailure;
  /** All of its rows are on disk. */
  readonly result?: ShardResult;
}

export interface ShardFailure {
  readonly code: FaultCode;
  readonly message: string;
  readonly problems: readonly Problem[];
}

export interface ShardResult {
  readonly parts: readonly Part[];
  /** Undefined: no row was scored. */
  readonly columns: OutputColumns | undefined;
  readonly memory: ReportMemory;
}

/** Of one shard alone: its checkpoint and its parts. */
export function shardFolder(folder: string, index: number): string {
  return join(folder, `shard-${index}`);
}

const orderFile = (folder: string): string => join(folder, 'order.json');
const slotsFile = (folder: string): string => join(folder, 'slots.json');
const statusFile = (folder: string, index: number): string =>
  join(shardFolder(folder, index), 'status.json');

export async function writeOrder(folder: string, order: ShardOrder): Promise<void> {
  await write(orderFile(folder), order);
}

export async function readOrder(folder: string): Promise<ShardOrder | undefined> {
  return await read(orderFile(folder));
}

/** Requests that all shards together may have under way. */
export async function writeSlots(folder: string, slots: number): Promise<void> {
  await write(slotsFile(folder), slots);
}

export async function readSlots(folder: string): Promise<number | undefined> {
  return await read(slotsFile(folder));
}

export async function writeStatus(
  folder: string,
  index: number,
  status: ShardStatus,
): Promise<void> {
  await mkdir(shardFolder(folder, index), { recursive: true, mode: 0o700 });
  await write(statusFile(folder, index), status);
}

export async function readStatus(folder: string, index: number): Promise<ShardStatus | undefined> {
  return await read(statusFile(folder, index));
}

async function write(path: string, value: unknown): Promise<void> {
  const partial = partialOf(path);
  try {
    await writeFile(partial, JSON.stringify(value), { mode: 0o600 });
    await moveInto(partial, path, true);
  } catch (error) {
    throw unavailable(`${path} cannot be written`, error);
  }
}

/** Undefined: nobody has written it yet. */
async function read<T>(path: string): Promise<T | undefined> {
  try {
    // Written by `write`, by this program.
    const value: T = JSON.parse(await readFile(path, 'utf8'));
    return value;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unavailable(`${path} cannot be read`, error);
  }
}

function unavailable(what: string, error: unknown): Fault {
  return new Fault('unavailable', `${what}: ${causeOf(error)}`, { cause: error });
}
