import { type Command, InvalidArgumentError, Option } from 'commander';
import { readUsage } from '#domain/read-views.ts';
import type { UsageRecord } from '#domain/records.ts';
import { duration, formatDuration, size } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import { Fault } from '#lib/fault.ts';
import type { Client } from '../client.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common } from '../options.ts';
import { readPages } from '../pages.ts';
import { print } from '../print.ts';

/** What a policy would have come to. Memory in bytes. */
interface Simulated {
  readonly policy: string;
  readonly arrivals: number;
  readonly cold: number;
  readonly coldSeconds: number;
  readonly idleMemory: number;
  readonly loads: number;
}

/** Replays traffic through policies. `budget`: bytes of memory that is idle on average, or a policy's name. */
export type Simulate = (
  rows: readonly UsageRecord[],
  request: {
    readonly policies: readonly string[];
    readonly budget: string;
    readonly cap?: number | undefined;
  },
) => Promise<readonly Simulated[]>;

interface SimulateOptions extends Common {
  readonly policy: readonly string[];
  readonly last: number;
  readonly budget: string;
  readonly cap?: number;
}

const MINUTE_MS = 60_000;
const WEEK_MS = 168 * 60 * MINUTE_MS;
const DEFAULT_POLICIES = ['fixed:1m', 'fixed:10m', 'hybrid', 'adaptive:online'];
/** Rows of one answer. */
const PAGE = 10_000;
/** A quarter of a hundred revisions that are asked in one minute of eight; in memory some hundred megabytes. */
const MOST_ROWS = 2_000_000;
const HEAD = ['POLICY', 'COLD STARTS', 'WAITED', 'IDLE MEMORY', 'LOADS AHEAD'];

export function addSimulate(program: Command, io: Io & { readonly simulate: Simulate }): void {
  program
    .command('simulate')
    .description('what your traffic would have cost with other keep-alive policies')
    .option('--policy <names...>', 'policies to compare', DEFAULT_POLICIES)
    .addOption(
      new Option('--last <duration>', 'how far back, such as 24h')
        .argParser(parseLast)
        .default(WEEK_MS, '7d'),
    )
    .option(
      '--budget <memory>',
      'idle memory of the adaptive ones: on average, or as much as a policy uses',
      parseBudget,
      'fixed:10m',
    )
    .option(
      '--cap <size>',
      'memory for all that is loaded; lru, greedy-dual and adaptive:evict need it',
      parseCap,
    )
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<SimulateOptions>();
      const rows = await readRows(clientFor(io, options), io.clock.now(), options);
      const { policy, budget, cap } = options;
      if (rows.length === 0) {
        const past = formatDuration(options.last);
        throw new Fault('not_found', `no requests in the last ${past}: nothing to simulate`);
      }
      const results = await io.simulate(rows, { policies: policy, budget, cap });
      print(io.stdout, options.output, results, () => [HEAD, ...results.map(makeRow)]);
    });
}

async function readRows(
  client: Client,
  now: number,
  { last, namespace }: SimulateOptions,
): Promise<UsageRecord[]> {
  const [from, to] = [now - last, now].map((at) => Math.floor(at / MINUTE_MS));
  const rows: UsageRecord[] = [];
  const query = { from, to, namespace, limit: PAGE };
  for await (const page of readPages(client, { path: '/api/v1/usage', query }, readUsage)) {
    rows.push(...page);
    if (rows.length > MOST_ROWS) {
      throw new Fault(
        'too_large',
        `more than ${MOST_ROWS} rows of traffic: ask for a shorter --last`,
      );
    }
  }
  return rows;
}

function makeRow({ policy, arrivals, cold, coldSeconds, idleMemory, loads }: Simulated): string[] {
  const share = `${((100 * cold) / arrivals).toFixed(1)} %`;
  const waited = formatDuration(coldSeconds * 1000);
  return [policy, `${cold} (${share})`, waited, formatSize(idleMemory), String(loads)];
}

function parseLast(text: string): number {
  const read = duration.safeParse(text);
  if (read.success && read.data > 0) return read.data;
  throw new InvalidArgumentError('Expected a duration such as 24h.');
}

/** Of a size its bytes; names of policies as they are. */
function parseBudget(text: string): string {
  const read = size.safeParse(text);
  return read.success ? String(read.data) : text;
}

function parseCap(text: string): number {
  const read = size.safeParse(text);
  if (read.success && read.data > 0) return read.data;
  throw new InvalidArgumentError('Expected a size such as 2Gi.');
}
