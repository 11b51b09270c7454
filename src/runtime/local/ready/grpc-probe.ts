import { connect } from 'node:http2';

/** Of `grpc.health.v1.Health`, as gRPC's health checking protocol has it: an empty request asks for the whole server. */
const CHECK = '/grpc.health.v1.Health/Check';
const EMPTY_MESSAGE = Buffer.alloc(5);
/** A HealthCheckResponse in its frame: `status` is SERVING. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
const OK = '0';
const UNIMPLEMENTED = '12';

/**
 * Asks a gRPC server once whether it serves. One without the health service serves as soon as it answers.
 *
 * @param onOver the connection has ended; called once, after `onReady` if that is called.
 */
export function askGrpc(
  port: number,
  onReady: () => void,
  onOver: () => void,
): { destroy(): void } {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  session.once('close', onOver);
  const stream = session.request({
    ':method': 'POST',
    ':path': CHECK,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let status: unknown;
  let message = Buffer.alloc(0);
  stream.on('error', () => {});
  stream.on('response', (headers) => (status = headers['grpc-status']));
  stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
  stream.on('data', (chunk: Buffer) => {
    if (message.length <= SERVING.length) message = Buffer.concat([message, chunk]);
  });
  stream.once('close', () => {
    if (status === UNIMPLEMENTED || (status === OK && message.equals(SERVING))) onReady();
    session.destroy();
  });
  stream.end(EMPTY_MESSAGE);
  return session;
}
