import { Fault } from '#lib/fault.ts';
import { readLines } from './lines.ts';
import { isMinuteCounts, readMemory, readMinuteCounts } from './minute-counts.ts';
import { isRequestLog, readRequestLog } from './request-log.ts';
import type { Trace } from './trace.ts';

/** Reads a trace, plain or gzip; its first line tells the format. `memoryFile`: see minute-counts.ts. */
export async function readTrace(file: string, memoryFile?: string): Promise<Trace> {
  const lines = readLines(file);
  const first = await lines.next();
  const header = first.done === true ? '' : first.value;
  try {
    if (isMinuteCounts(header)) {
      const memory = memoryFile === undefined ? new Map() : await readMemory(readLines(memoryFile));
      return await readMinuteCounts(lines, header, memory);
    }
    if (isRequestLog(header)) return await readRequestLog(lines, header);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.code, `${file}: ${error.message}`, { cause: error });
  }
  throw new Fault(
    'invalid',
    `${file}: unknown format; expected a first line with timestamp,model,duration or with HashFunction and minutes`,
  );
}
