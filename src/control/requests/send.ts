import type { RequestOptions } from 'node:http';
import { hostOf } from '#domain/address.ts';
import { codeOf, FAULTS, Fault, type FaultCode, messageOf } from '#lib/fault.ts';
import { jsonOf } from '#lib/json.ts';
import { createOwnDataPlane } from '#lib/own-data-plane.ts';
import type { Attempted } from '#policies/requests/attempt.ts';
import type { StoredAnswer, Taken } from '#store/requests/requests.ts';
import { readResponse, type Response, retryAfterMs } from './http.ts';
import type { Place } from './room.ts';

/** What came of sending a request to its model, for who decides what that means. */
export type Sent = Pick<Attempted, 'how' | 'status' | 'retryAfterMs'> & {
  readonly answer?: StoredAnswer;
  readonly reason: string;
};

export interface Sender {
  /** `place`: has the answer, also when this has resolved. */
  send(taken: Taken, place: Pick<Place, 'add'>, signal: AbortSignal): Promise<Sent>;
  close(): void;
}

/** As much as the bus carries, and a request can have. */
const MOST_ANSWER = 8 * 2 ** 20;
/** A model that takes long to start is waited for; nobody sits there. */
const HOLD = '10m';
/** Set by the data plane when the model itself has answered, and by nobody else. */
const BY_MODEL = 'rouse-cold-start';
/** What the answer to another request, at another time, cannot say. */
const NOT_KEPT = new Set(
  (
    'connection keep-alive transfer-encoding content-length date trailer server-timing set-cookie upgrade ' +
    'proxy-connection proxy-authenticate'
  ).split(' '),
);

/**
 * Sends requests through the data plane, as any caller of this machine would, at low priority.
 *
 * @param dataPlane its address, such as `http://127.0.0.1:8080`.
 * @param proxyProtocol connections to it begin with a PROXY header.
 */
export function createSender(dataPlane: string, proxyProtocol: boolean): Sender {
  const url = new URL(dataPlane);
  const { port } = url;
  const host = hostOf(url);
  const { request, agent } = createOwnDataPlane(dataPlane, proxyProtocol);

  return {
    async send(taken, place, signal) {
      const { method, target } = taken.request;
      const headers = makeHeaders(taken);
      const options: RequestOptions = { host, port, method, path: target, headers, agent, signal };
      try {
        const sent = request(options);
        sent.end(taken.content.body);
        return judge(await readResponse(sent, MOST_ANSWER, place));
      } catch (error) {
        if (signal.aborted) throw error;
        return explain(error);
      }
    },
    close: () => agent.destroy(),
  };
}

function makeHeaders({ request, host, content }: Taken): string[] {
  const lines = content.fields.split('\r\n').filter((line) => line !== '');
  const fields = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const priority = request.priority === 'low' ? 'low' : 'normal';
  const own = ['Host', host, 'Rouse-Priority', priority, 'Rouse-Hold', HOLD];
  const length = content.body.length;
  const framing = length > 0 || /^(POST|PUT|PATCH)$/.test(request.method);
  return [...own, ...fields, ...(framing ? ['Content-Length', String(length)] : [])];
}

function judge(response: Response): Sent {
  const { status, body } = response;
  const answer = { status, fields: fieldsOf(response), body };
  const known = { status, retryAfterMs: retryAfterMs(response), answer };
  if (response.headers[BY_MODEL] !== undefined) return { ...known, how: 'answered', reason: '' };
  const { code, reason } = refusalIn(body);
  return { ...known, how: howOf(code), reason: reason ?? `refused with ${status}` };
}

function howOf(code: FaultCode | undefined): Sent['how'] {
  if (code === undefined) return 'refused';
  if (code === 'instance_lost' || code === 'bad_upstream') return 'lost';
  return FAULTS[code].retryable ? 'refused' : 'final';
}

function fieldsOf({ rawHeaders }: Response): string {
  let fields = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!NOT_KEPT.has(name.toLowerCase())) fields += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  return fields;
}

/** In whatever envelope of ours. */
function refusalIn(body: Buffer): { code?: FaultCode; reason?: string } {
  const value = jsonOf(body.toString());
  if (!isObject(value)) return {};
  const inner = isObject(value['error']) ? value['error'] : value;
  const reason = [inner['detail'], inner['message'], inner['error']].find(isText);
  const code = inner['code'];
  return { ...(isCode(code) && { code }), ...(reason !== undefined && { reason }) };
}

function explain(error: unknown): Sent {
  const reason = messageOf(error);
  if (error instanceof Fault) return { how: 'final', status: 0, retryAfterMs: 0, reason };
  const code = codeOf(error);
  const how = code === 'ECONNREFUSED' || code === 'ENOENT' ? 'refused' : 'lost';
  return { how, status: 0, retryAfterMs: 0, reason };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCode(value: unknown): value is FaultCode {
  return typeof value === 'string' && Object.hasOwn(FAULTS, value);
}
