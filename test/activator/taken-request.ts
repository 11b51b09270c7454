/** A request as it came over the wire; latin1. */
export interface TakenRequest {
  /** With the empty line. */
  readonly head: string;
  /** With its framing. */
  readonly body: string;
  /** Without its framing. */
  readonly content: string;
  /** Bytes of head and body. */
  readonly length: number;
}

/**
 * The first whole request in `text`, undefined when there is none yet. For what the data plane sends, and as
 * picky as that allows: one way to write each framing field, chunks without extensions.
 */
export function takeRequest(text: string): TakenRequest | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end + 4);
  const lengths = head.match(/\r\nContent-Length: (0|[1-9][0-9]*)(?=\r\n)/gi) ?? [];
  const codings = head.match(/\r\nTransfer-Encoding: chunked(?=\r\n)/gi) ?? [];
  const named = head.match(/\r\n(?:content[-_]length|transfer[-_]encoding)\s*:/gi) ?? [];
  if (named.length !== lengths.length + codings.length || named.length > 1) {
    throw new Error(`a head that is framed in a strange way: ${JSON.stringify(head)}`);
  }
  const body =
    codings.length > 0
      ? takeChunks(text, head.length)
      : takeLength(text, head.length, Number(lengths[0]?.slice(lengths[0].indexOf(':') + 1) ?? 0));
  if (!body) return undefined;
  const { content, next } = body;
  return { head, body: text.slice(head.length, next), content, length: next };
}

function takeLength(text: string, start: number, size: number) {
  const next = start + size;
  return next <= text.length ? { content: text.slice(start, next), next } : undefined;
}

function takeChunks(text: string, start: number) {
  let content = '';
  let at = start;
  while (true) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = text.slice(at, lineEnd);
    if (!/^(?:0|[1-9a-f][0-9a-f]*)$/.test(line)) throw new Error(`no chunk size: ${line}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (at + size + 2 > text.length) return undefined;
    content += text.slice(at, at + size);
    if (!text.startsWith('\r\n', at + size)) throw new Error('a chunk without its end');
    at += size + 2;
  }
  if (text.startsWith('\r\n', at)) return { content, next: at + 2 };
  const end = text.indexOf('\r\n\r\n', at);
  return end < 0 ? undefined : { content, next: end + 4 };
}
