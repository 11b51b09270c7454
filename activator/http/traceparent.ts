/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context-2/): a trace that the caller has begun goes on as it
 * came; where there is none, or none that is understood, one begins here.
 */

/** `00-<trace id>-<parent id>-<flags>`. */
const LENGTH = 55;
const TRACE_ID = 3;
const PARENT_ID = 36;
const FLAGS = 53;
const DASH = 0x2d;

/** Whether `text` from `start` to `end` is a traceparent. A later version may go on after what is known. */
export function isTraceparent(text: string, start: number, end: number): boolean {
  const length = end - start;
  if (length < LENGTH || !isHex(text, start, 2)) return false;
  if (text.startsWith('ff', start)) return false;
  if (text.startsWith('00', start) ? length > LENGTH : !mayGoOn(text, start, length)) return false;
  return (
    text.charCodeAt(start + TRACE_ID - 1) === DASH &&
    isId(text, start + TRACE_ID, 32) &&
    text.charCodeAt(start + PARENT_ID - 1) === DASH &&
    isId(text, start + PARENT_ID, 16) &&
    text.charCodeAt(start + FLAGS - 1) === DASH &&
    isHex(text, start + FLAGS, 2)
  );
}

function mayGoOn(text: string, start: number, length: number): boolean {
  return length === LENGTH || text.charCodeAt(start + LENGTH) === DASH;
}

/** Lower case only. */
function isHex(text: string, start: number, count: number): boolean {
  for (let i = start; i < start + count; i += 1) {
    const code = text.charCodeAt(i);
    if (!(code >= 0x30 && code <= 0x39) && !(code >= 0x61 && code <= 0x66)) return false;
  }
  return true;
}

/** Not all zero. */
function isId(text: string, start: number, count: number): boolean {
  if (!isHex(text, start, count)) return false;
  for (let i = start; i < start + count; i += 1) if (text.charCodeAt(i) !== 0x30) return true;
  return false;
}

/** So many traces are begun with one call of the system's generator. */
const POOLED = 256;
const DIGITS = 32 + 16;
/** `traceparent: 00-…-…-01` with its end. */
const LINE = 'traceparent: '.length + LENGTH + '\r\n'.length;

/**
 * Gives the field line of a new trace. The flag says "sampled", as docs/decisions/0012 explains.
 *
 * @param randomHex so many random bytes, as hex digits
 */
export function createTraces(randomHex: (bytes: number) => string): () => string {
  let lines = '';
  let at = 0;
  return () => {
    if (at === lines.length) {
      lines = makeLines(randomHex((POOLED * DIGITS) / 2));
      at = 0;
    }
    at += LINE;
    return lines.slice(at - LINE, at);
  };
}

function makeLines(digits: string): string {
  let lines = '';
  for (let i = 0; i < digits.length; i += DIGITS) {
    const ids = `${digits.slice(i, i + 32)}-${digits.slice(i + 32, i + DIGITS)}`;
    lines += `traceparent: 00-${ids}-01\r\n`;
  }
  return lines;
}
