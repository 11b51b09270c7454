import { type Command, InvalidArgumentError, Option } from 'commander';
import { readUsage } from '#domain/read-views.ts';
import type { UsageRecord } from '#domain/records.ts';
import { formatDuration, formatPeriod, period, size } from '#domain/units.ts';
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

/**
 * Replays traffic, page by page, through policies; undefined: there were no requests. `budget`: bytes of memory that is idle on
 * average, or a policy's name.
 */
export type Simulate = (
  pages: AsyncIterable<readonly UsageRecord[]>,
  request: {
    readonly policies: readonly string[];
    readonly budget: string;
    readonly cap?: number | undefined;
  },
) => Promise<readonly Simulated[] | undefined>;

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
const HEAD = ['POLICY', 'COLD STARTS', 'WAITED', 'IDLE MEMORY', 'LOADS AHEAD'];

export function addSimulate(program: Command, io: Io & { readonly simulate: Simulate }): void {
  program
    .command('simulate')
    .description('what your traffic would have cost with other keep-alive policies')
    .option('--policy <names...>', 'policies to compare', DEFAULT_POLICIES)
    .addOption(
      new Option('--last <period>', 'how far back, such as 24h or 30d')
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
      const pages = readTraffic(clientFor(io, options), io.clock.now(), options);
      const { policy, budget, cap } = options;
      const results = await io.simulate(pages, { policies: policy, budget, cap });
      if (!results) {
        const past = formatPeriod(options.last);
        throw new Fault('not_found', `no requests in the last ${past}: nothing to simulate`);
      }
      print(io.stdout, options.output, results, () => [HEAD, ...results.map(makeRow)]);
    });
}

function readTraffic(
  client: Client,
  now: number,
  { last, namespace }: SimulateOptions,
): AsyncGenerator<readonly UsageRecord[]> {
  const [from, to] = [now - last, now].map((at) => Math.floor(at / MINUTE_MS));
  const query = { from, to, namespace, limit: PAGE };
  return readPages(client, { path: '/api/v1/usage', query }, readUsage);
}

function makeRow({ policy, arrivals, cold, coldSeconds, idleMemory, loads }: Simulated): string[] {
  const share = `${((100 * cold) / arrivals).toFixed(1)} %`;
  const waited = formatDuration(coldSeconds * 1000);
  return [policy, `${cold} (${share})`, waited, formatSize(idleMemory), String(loads)];
}

function parseLast(text: string): number {
  const read = period.safeParse(text);
  if (read.success && read.data > 0) return read.data;
  throw new InvalidArgumentError('Expected a period such as 24h or 7d.');
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
