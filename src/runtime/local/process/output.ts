import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '#lib/clock.ts';
import { formatSize } from '#domain/format-size.ts';

/** Longer lines are cut: a program that prints its weights must not fill the memory. */
export const LINE_CHARS = 8192;
/** What an instance may print in a second; more is counted and dropped, so that it costs next to nothing. */
const BYTES_PER_SECOND = 256 * 1024;
/**
 * Beyond this nothing is read until the second is over: reading a program that prints without end would take
 * a whole core from all others. Only such a program ever waits for us.
 */
const FLOOD_BYTES_PER_SECOND = 4 * 1024 * 1024;
const SECOND_MS = 1000;

/** Turns what a program prints into lines that are safe to show. */
export function createLines(options: { clock: Clock; onLine: (text: string) => void }): {
  /** Gives the time in ms for which no more should be read; 0 as a rule. */
  write(chunk: Buffer): number;
  end(): void;
} {
  const { clock, onLine } = options;
  const decoder = new StringDecoder('utf8');
  let line = '';
  let isCut = false;
  let secondEnds = 0;
  let bytes = 0;
  let dropped = 0;

  function finish(): void {
    if (line !== '' || !isCut) onLine(printable(line));
    line = '';
    isCut = false;
  }

  function append(text: string): void {
    if (isCut) return;
    line += text;
    if (line.length <= LINE_CHARS) return;
    line = `${line.slice(0, LINE_CHARS)}… (cut)`;
    onLine(printable(line));
    line = '';
    isCut = true;
  }

  function tellDropped(): void {
    if (dropped === 0) return;
    const budget = `${formatSize(BYTES_PER_SECOND)} in a second`;
    onLine(`… ${formatSize(dropped)} of output dropped: more than ${budget}`);
    dropped = 0;
    line = '';
    isCut = false;
  }

  function isOverBudget(chunk: Buffer): boolean {
    const now = clock.now();
    if (now >= secondEnds) {
      secondEnds = now + SECOND_MS;
      bytes = 0;
      tellDropped();
    }
    bytes += chunk.length;
    return bytes > BYTES_PER_SECOND;
  }

  return {
    write(chunk) {
      if (isOverBudget(chunk)) {
        dropped += chunk.length;
        return bytes > FLOOD_BYTES_PER_SECOND ? secondEnds - clock.now() : 0;
      }
      const text = decoder.write(chunk);
      let start = 0;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', start)) {
        append(text.slice(start, at));
        finish();
        start = at + 1;
      }
      append(text.slice(start));
      return 0;
    },
    end() {
      tellDropped();
      append(decoder.end());
      if (line !== '') finish();
    },
  };
}

// oxlint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Control characters as text: a log must not move the cursor of the terminal that shows it. */
function printable(line: string): string {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  return text.replace(CONTROL, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
