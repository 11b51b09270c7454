import type { LogLine } from '../runtime.ts';

/** What is kept of a revision's output: enough to see what went wrong, not an archive. */
const LINES_PER_REVISION = 1000;
const CHARS_PER_REVISION = 256 * 1024;
/** Of all revisions together. The revision that was silent for longest goes first. */
const CHARS_IN_ALL = 32 * 1024 * 1024;

interface Ring {
  lines: LogLine[];
  chars: number;
}

/** The last lines of each revision, in memory. */
export function createLogStore(): {
  add(revision: string, line: LogLine): void;
  read(revision: string, limit: number): readonly LogLine[];
} {
  /** In the order of their last line. */
  const rings = new Map<string, Ring>();
  let total = 0;

  function shorten(ring: Ring): void {
    let count = Math.max(0, ring.lines.length - LINES_PER_REVISION);
    for (let n = 0; n < count || ring.chars > CHARS_PER_REVISION; n++) {
      const length = ring.lines[n]?.text.length ?? 0;
      ring.chars -= length;
      total -= length;
      count = Math.max(count, n + 1);
    }
    if (count > 0) ring.lines.splice(0, count);
  }

  return {
    add(revision, line) {
      const ring = rings.get(revision) ?? { lines: [], chars: 0 };
      rings.delete(revision);
      rings.set(revision, ring);
      ring.lines.push(line);
      ring.chars += line.text.length;
      total += line.text.length;
      shorten(ring);
      for (const [key, oldest] of rings) {
        if (total <= CHARS_IN_ALL) break;
        total -= oldest.chars;
        rings.delete(key);
      }
    },
    read(revision, limit) {
      return rings.get(revision)?.lines.slice(-Math.max(1, limit)) ?? [];
    },
  };
}
