import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import type { Clock } from '#lib/clock.ts';
import { ROUSE } from '#lib/command.ts';
import { codeOf, Fault, type FaultCode, FAULTS, messageOf, type Problem } from '#lib/fault.ts';

/** For a call with its whole answer. Control answers each at once; what takes its time are uploads. */
const DEADLINE_MS = 60_000;
/** Many times the largest page, and little for any machine. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

const DOUBT = "Is it Rouse's control address?";

export interface Call {
  readonly method?: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Segments of a path are encoded with `pathOf`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Speaks to the control API. Answers that are no success are thrown as the Fault that they tell of. */
export interface Client {
  readonly server: string;
  call<T>(call: Call, read: (body: unknown) => T): Promise<T>;
  /** The response as it is, whenever it comes: for uploads. */
  send(call: Call, content?: AsyncIterable<Uint8Array>): Promise<Response>;
}

export interface ClientOptions {
  readonly server: string;
  readonly key?: string | undefined;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

export function createClient({ server, key, fetch, clock }: ClientOptions): Client {
  const base = server.replace(/\/+$/, '');

  async function send(call: Call, content?: AsyncIterable<Uint8Array>): Promise<Response> {
    const headers = {
      ...call.headers,
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    };
    const body = call.json === undefined ? content : JSON.stringify(call.json);
    const type = call.json === undefined ? 'application/octet-stream' : 'application/json';
    try {
      return await fetch(base + call.path + queryOf(call), {
        method: call.method ?? 'GET',
        headers: body === undefined ? headers : { 'content-type': type, ...headers },
        ...(body !== undefined && { body, duplex: 'half' }),
        ...(call.signal && { signal: call.signal }),
      });
    } catch (error) {
      throw explain(error, base, call.signal);
    }
  }

  async function within<T>(call: Call, work: (call: Call) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = clock.after(DEADLINE_MS, () => late.abort());
    const signal = call.signal ? AbortSignal.any([call.signal, late.signal]) : late.signal;
    try {
      return await work({ ...call, signal });
    } catch (error) {
      if (!late.signal.aborted) throw error;
      const waited = formatDuration(DEADLINE_MS);
      throw new Fault('unavailable', `${base} has not answered within ${waited}. ${DOUBT}`);
    } finally {
      timer.cancel();
    }
  }

  return {
    server: base,
    send,
    call: async (call, read) =>
      await within(call, async (timed) => {
        const response = await send(timed);
        if (!response.ok) throw await faultOf(response, base);
        return read(response.status === 204 ? undefined : await readJson(response, base));
      }),
  };
}

/** The path of what a namespace has: `namespacePath('default', 'requests')`. */
export function namespacePath(namespace: string, ...parts: readonly string[]): string {
  const encoded = [namespace, ...parts].map((part) => encodeURIComponent(part));
  return `/api/v1/namespaces/${encoded.join('/')}`;
}

/** The path of a model's resources: `modelPath('default', 'digits', 'revisions')`. */
export function modelPath(namespace: string, ...parts: readonly string[]): string {
  return namespacePath(namespace, 'models', ...parts);
}

/** The Fault that an answer tells of, or one that says what answered instead. */
export async function faultOf(response: Response, server: string): Promise<Fault> {
  const body = await readJson(response, server).catch(() => undefined);
  if (!isProblem(body)) {
    const status = `${response.status} ${response.statusText}`.trim();
    return new Fault('bad_upstream', `${server} answered ${status}. ${DOUBT}`);
  }
  return new Fault(body.code, body.detail, { problems: body.problems ?? [] });
}

function queryOf({ query }: Call): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) given.set(name, String(value));
  }
  return given.size === 0 ? '' : `?${given.toString()}`;
}

async function readJson(response: Response, server: string): Promise<unknown> {
  const text = await readText(response, server);
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault('bad_upstream', `${server} answered no JSON. ${DOUBT}`);
  }
}

async function readText({ body }: Response, server: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      const limit = formatSize(MAX_ANSWER_BYTES);
      throw new Fault('bad_upstream', `${server} answered more than ${limit}. ${DOUBT}`);
    }
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function explain(error: unknown, server: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  if (codeOf(cause) === 'ECONNREFUSED') {
    return new Fault('unavailable', `nothing answers at ${server}. Start it with: ${ROUSE} serve`);
  }
  const why = cause instanceof Error ? cause.message : messageOf(error);
  return new Fault('unavailable', `${server} cannot be reached: ${why}`, { cause: error });
}

interface ProblemBody {
  readonly code: FaultCode;
  readonly detail: string;
  readonly problems?: readonly Problem[];
}

function isProblem(body: unknown): body is ProblemBody {
  return (
    typeof body === 'object' &&
    body !== null &&
    'code' in body &&
    typeof body.code === 'string' &&
    body.code in FAULTS &&
    'detail' in body &&
    typeof body.detail === 'string'
  );
}
