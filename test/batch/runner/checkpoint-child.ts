import { writeSync } from 'node:fs';
import { openCheckpoint } from '#batch/runner/checkpoint.ts';
import { createReportBook } from '#batch/runner/report.ts';

/**
 * Takes the checkpoint of a folder, writes parts without end, and says of each that it is there. It waits for who reads
 * that: a stream would keep what does not fit until its loop has a turn, and that is never.
 */
const checkpoint = openCheckpoint(process.argv[2] ?? '');
const { memory } = createReportBook(undefined);
writeSync(1, `next ${checkpoint.next}\n`);
for (;;) {
  const { next, parts } = checkpoint;
  const number = parts.length + 1;
  const part = { number, first: next, past: next + 10, rows: 9, failed: 1 };
  checkpoint.add(part, { ...memory, requests: number });
  writeSync(1, `part ${number}\n`);
}
