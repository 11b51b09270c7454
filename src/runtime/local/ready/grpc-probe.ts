import { connect, type IncomingHttpHeaders } from 'node:http2';
import { formatAddress } from '#domain/address.ts';
import type { Place, QuestionEvents } from './question.ts';

/** Of `grpc.health.v1.Health`, as gRPC's health checking protocol has it: an empty request asks for the whole server. */
const CHECK = '/grpc.health.v1.Health/Check';
const EMPTY_MESSAGE = Buffer.alloc(5);
/** A HealthCheckResponse in its frame: `status` is SERVING. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
const OK = '0';
const UNIMPLEMENTED = '12';

/** Asks a gRPC server once whether it serves. One without the health service serves as soon as it answers. */
export function askGrpc(to: Place, events: QuestionEvents): { destroy(): void } {
  const session = connect(`${to.tls ? 'https' : 'http'}://${formatAddress(to)}`);
  session.on('error', events.onFailed);
  session.once('close', events.onOver);
  session.once('connect', () => events.onArrived('its gRPC health service has no answer'));
  const stream = session.request({
    ...(to.authority !== undefined && { ':authority': to.authority }),
    ':method': 'POST',
    ':path': (to.basePath ?? '') + CHECK,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let status: string | undefined;
  let message = Buffer.alloc(0);
  stream.on('error', () => {});
  stream.on('response', (headers) => (status = statusOf(headers)));
  stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
  stream.on('data', (chunk: Buffer) => {
    if (message.length <= SERVING.length) message = Buffer.concat([message, chunk]);
  });
  stream.once('close', () => {
    if (status === UNIMPLEMENTED || (status === OK && message.equals(SERVING))) events.onReady();
    else if (status === OK) events.onSeen('its gRPC health service says that it does not serve');
    else if (status !== undefined)
      events.onSeen(`its gRPC health service answered status ${status}`);
    session.destroy();
  });
  stream.end(EMPTY_MESSAGE);
  return session;
}

function statusOf(headers: IncomingHttpHeaders): string | undefined {
  return headers['grpc-status']?.toString();
}
