import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import { jsonOf } from '#lib/json.ts';
import { createOwnDataPlane } from '#lib/own-data-plane.ts';
import type { RunModel } from '#domain/job-run.ts';
import type { InferBody } from './infer.ts';

/** What became of a request, by what it means for its rows. */
export type Sent =
  | {
      readonly kind: 'answered';
      readonly body: Buffer;
      readonly headers: IncomingMessage['headers'];
      /** In all. */
      readonly ms: number;
      /** That the model took; undefined where it is not known, or an instance had to start. */
      readonly modelMs: number | undefined;
    }
  /** It never reached the model: it is sent again, however often. */
  | { readonly kind: 'refused'; readonly reason: string; readonly code: string }
  /** The model does not take these rows. */
  | { readonly kind: 'rejected'; readonly reason: string }
  /** The model failed with these rows, or while it had them. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Sender {
  send(body: InferBody): Promise<Sent>;
  close(): void;
}

/** Rouse's own refusals: no instance has seen the request. */
const REFUSALS = new Set([
  'queue_full',
  'caller_over_share',
  'unavailable',
  'hold_timeout',
  'start_failed',
  'revision_failed',
  'not_found',
  'misdirected',
]);
/** As long as a caller may ask for: an instance may wait for memory that live traffic has. */
const HOLD = '10m';
const HOLD_MS = 600_000;
/** Of an answer that says what is wrong. */
const REASON_CHARS = 500;

export function createSender(model: RunModel, clock: Clock): Sender {
  const url = new URL('infer', model.url);
  const { request, agent } = createOwnDataPlane(model.url, model.proxyProtocol);
  const headers = { ...model.headers, 'rouse-priority': 'low', 'rouse-hold': HOLD };

  async function exchange({ chunks, bytes, headers: own }: InferBody): Promise<Sent> {
    const begun = clock.now();
    const sent = request(url, {
      method: 'POST',
      agent,
      headers: { ...headers, ...own, 'content-length': bytes },
    });
    const late = clock.after(HOLD_MS + model.timeoutMs, () =>
      sent.destroy(new Error('no answer in time')),
    );
    try {
      for (const chunk of chunks) sent.write(chunk);
      sent.end();
      const [response]: IncomingMessage[] = await once(sent, 'response');
      if (!response) return { kind: 'failed', reason: 'there was no answer' };
      const body = await readAll(response);
      return read(response, body, clock.now() - begun);
    } finally {
      late.cancel();
    }
  }

  return {
    async send(body) {
      try {
        return await exchange(body);
      } catch (error) {
        const reason = messageOf(error);
        // Cut off later, it may have been the rows that ended the instance.
        return isUnreached(error)
          ? { kind: 'refused', reason, code: 'unavailable' }
          : { kind: 'failed', reason };
      }
    },
    close: () => agent.destroy(),
  };
}

/** Of a data plane on another machine, there may be no way to it, or no address of its name, for a while. */
function isUnreached(error: unknown): boolean {
  if (!(error instanceof Error && 'syscall' in error)) return false;
  return error.syscall === 'connect' || error.syscall === 'getaddrinfo';
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function read(
  { statusCode: status = 0, headers }: IncomingMessage,
  body: Buffer,
  ms: number,
): Sent {
  if (status >= 200 && status < 300) {
    return { kind: 'answered', body, headers, ms, modelMs: modelMsOf(headers) };
  }
  const { code, reason } = explain(status, body);
  if (code !== undefined && REFUSALS.has(code)) return { kind: 'refused', reason, code };
  return { kind: status < 500 && status !== 408 ? 'rejected' : 'failed', reason };
}

function modelMsOf(headers: IncomingMessage['headers']): number | undefined {
  if (headers['rouse-cold-start'] !== 'false') return undefined;
  const [, text] = /\binfer;dur=([0-9.]+)/.exec(String(headers['server-timing'])) ?? [];
  return text === undefined ? undefined : Number(text);
}

/** In the envelope of V2, or as whatever it is. */
function explain(status: number, body: Buffer): { code: string | undefined; reason: string } {
  const text = body.toString('utf8', 0, 64 * 1024);
  const told = jsonOf(text);
  const { error, code }: Readonly<Record<string, unknown>> =
    typeof told === 'object' && told !== null ? { ...told } : {};
  const why = typeof error === 'string' ? error : text.trim();
  const reason = why === '' ? `status ${status}` : why.slice(0, REASON_CHARS);
  return { code: typeof code === 'string' ? code : undefined, reason };
}
