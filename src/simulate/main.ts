import { parseArgs } from 'node:util';
import { Fault, messageOf } from '#lib/fault.ts';
import { compare } from './compare.ts';
import { readTrace } from './read-trace.ts';
import { formatComparison } from './report.ts';

/** `npm run simulate -- --trace FILE --policy NAME …`: see policies/README.md. */

async function main(): Promise<void> {
  const { trace: file, memory, policy, budget, cap, parked, json } = parseOptions();
  if (file === undefined) throw new Fault('invalid', 'which trace? --trace FILE');
  const limits = { cap: parseCap(cap), parked: parseParked(parked) };
  const trace = await readTrace(file, memory);
  const rows = compare(trace, policy, { budget, ...limits });
  const shown = json ? JSON.stringify(rows, undefined, 2) : formatComparison(rows, trace);
  process.stdout.write(`${shown}\n`);
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        trace: { type: 'string' },
        memory: { type: 'string' },
        policy: { type: 'string', multiple: true, default: ['fixed:10m', 'hybrid'] },
        budget: { type: 'string' },
        cap: { type: 'string' },
        parked: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (cause) {
    throw new Fault('invalid', messageOf(cause), { cause });
  }
}

/** `15%` of the memory of all models, or memory in the unit of the trace. */
function parseCap(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const cap = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (cap > 0) return cap;
  throw new Fault('invalid', `--cap ${text}: expected memory above 0, or a share such as 15%`);
}

/** `30%`: what is parked keeps that much of its memory. */
function parseParked(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const share = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number.NaN;
  if (share >= 0 && share <= 1) return share;
  throw new Fault('invalid', `--parked ${text}: expected a share from 0% to 100%, such as 30%`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
