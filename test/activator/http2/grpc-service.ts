import {
  type ClientReadableStream,
  type ClientWritableStream,
  type Client,
  credentials,
  makeGenericClientConstructor,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** A gRPC service whose messages are plain bytes, one method of each kind; by the client and server of `grpc-js`. */

function method(
  name: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const SERVICE = {
  unary: method('Unary', false, false),
  upload: method('Upload', true, false),
  download: method('Download', false, true),
  both: method('Both', true, true),
};

export interface GrpcInstance {
  readonly server: Server;
  readonly port: number;
  close(): void;
}

export async function startGrpcInstance(
  handlers: UntypedServiceImplementation,
  at = 0,
  path = SERVICE.unary.path,
): Promise<GrpcInstance> {
  const server = new Server();
  server.addService({ ...SERVICE, unary: { ...SERVICE.unary, path } }, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${at}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return { server, port, close: () => server.forceShutdown() };
}

const Echo = makeGenericClientConstructor(SERVICE, 'Echo');

export function openClient(port: number, options = {}): Client {
  return new Echo(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.enable_retries': 0,
    ...options,
  });
}

export interface Called {
  readonly error: ServiceError | undefined;
  readonly body: string;
  readonly bytes: Buffer;
  readonly initial: Metadata | undefined;
}

/** One unary call to its end. */
export function callUnary(
  client: Client,
  metadata: Metadata,
  body: string | Buffer = '',
  options: { deadline?: number; path?: string } = {},
): Promise<Called> {
  const { path = SERVICE.unary.path, ...rest } = options;
  return new Promise((resolve) => {
    let initial: Metadata | undefined;
    const same = (bytes: Buffer): Buffer => bytes;
    const call = client.makeUnaryRequest<Buffer, Buffer>(
      path,
      same,
      same,
      Buffer.from(body),
      metadata,
      rest,
      (error, value) => {
        const bytes = value ?? Buffer.alloc(0);
        resolve({ error: error ?? undefined, body: bytes.toString(), bytes, initial });
      },
    );
    call.on('metadata', (given: Metadata) => (initial = given));
  });
}

/** All messages of a stream; rejects with its status when that is not OK. */
export function readAll(stream: ClientReadableStream<Buffer>): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const messages: string[] = [];
    stream.on('data', (message: Buffer) => messages.push(message.toString()));
    stream.on('error', reject);
    stream.on('end', () => resolve(messages));
  });
}

export function upload(
  client: Client,
  metadata: Metadata,
): {
  stream: ClientWritableStream<Buffer>;
  answer: Promise<string>;
} {
  const answer = Promise.withResolvers<string>();
  const { path, requestSerialize, responseDeserialize } = SERVICE.upload;
  const stream = client.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    metadata,
    (error, value) => (error ? answer.reject(error) : answer.resolve(String(value))),
  );
  return { stream, answer: answer.promise };
}

export function download(
  client: Client,
  metadata: Metadata,
  body: string,
): ClientReadableStream<Buffer> {
  const { path, requestSerialize, responseDeserialize } = SERVICE.download;
  return client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    Buffer.from(body),
    metadata,
  );
}

export function both(client: Client, metadata: Metadata) {
  const { path, requestSerialize, responseDeserialize } = SERVICE.both;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
}
