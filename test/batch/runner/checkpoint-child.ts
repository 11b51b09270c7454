import { openCheckpoint } from '#batch/runner/checkpoint.ts';
import { createReportBook } from '#batch/runner/report.ts';

/** Takes the checkpoint of a folder, writes parts without end, and says of each that it is there. */
const checkpoint = openCheckpoint(process.argv[2] ?? '');
const { memory } = createReportBook(undefined);
process.stdout.write(`next ${checkpoint.next}\n`);
for (;;) {
  const { next, parts } = checkpoint;
  const number = parts.length + 1;
  const part = { number, first: next, past: next + 10, rows: 9, failed: 1 };
  checkpoint.add(part, { ...memory, requests: number });
  process.stdout.write(`part ${number}\n`);
}
