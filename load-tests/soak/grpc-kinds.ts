import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Target } from './http-kinds.ts';
import type { Outcome } from './tally.ts';

/** Kinds of gRPC calls, by the client that most programs in Node use. */

const AFTER = '/soak.Echo/After';
const ECHO = '/soak.Echo/Echo';
const MESSAGES = 10;
/** So long the model takes, and at most so long is it given; ms. */
const SLOW_MS = 10;
const DEADLINE_MS = 100;
/** What Rouse alone says of a call that it does not serve, and may be tried again. */
const PUSHBACK = 'grpc-retry-pushback-ms';

const same = (bytes: Buffer): Buffer => bytes;

/** How a failed call counts: refused by Rouse, ended by the client itself, or lost. */
export function judgeFailure(error: Pick<ServiceError, 'code' | 'details' | 'metadata'>): {
  readonly how: 'refused' | 'aborted' | 'lost';
  readonly what: string;
} {
  const { code, details, metadata } = error;
  const what = `gRPC ${code}`;
  if (metadata.get(PUSHBACK).length > 0) return { how: 'refused', what };
  if (code === status.CANCELLED) return { how: 'aborted', what };
  if (code !== status.DEADLINE_EXCEEDED) return { how: 'lost', what: `${what}: ${details}` };
  // The client's own words; Rouse watches the deadline, too, and may be first.
  return { how: details.startsWith('Deadline exceeded') ? 'aborted' : 'refused', what };
}

function settle(outcome: Outcome, error: ServiceError): void {
  const { how, what } = judgeFailure(error);
  if (how === 'aborted') outcome.aborted();
  else outcome[how](what);
}

export function createGrpcKinds({ port, host, tally }: Target): {
  run: (() => Promise<void>)[];
  close(): void;
} {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.default_authority': host,
    'grpc.enable_retries': 0,
  });

  function callAfter(outcome: Outcome, ms: number, deadline?: number): Promise<void> {
    const sent = `${ms} ${Math.random()}`;
    return new Promise((done) => {
      client.makeUnaryRequest(
        AFTER,
        same,
        same,
        Buffer.from(sent),
        new Metadata(),
        deadline === undefined ? {} : { deadline },
        (error, answer) => {
          if (error) settle(outcome, error);
          else if (String(answer) === sent) outcome.answered();
          else outcome.lost(`${String(answer)} for ${sent}`);
          done();
        },
      );
    });
  }

  async function unary(): Promise<void> {
    await callAfter(tally.begin('gRPC'), 0);
  }

  /** The deadline passes before, while or after the model answers. */
  async function hurry(): Promise<void> {
    const deadline = Date.now() + Math.random() * DEADLINE_MS;
    await callAfter(tally.begin('gRPC deadline'), SLOW_MS, deadline);
  }

  function open(): ClientDuplexStream<Buffer, Buffer> {
    return client.makeBidiStreamRequest(ECHO, same, same, new Metadata());
  }

  /** A stream with some messages to and fro is one request. */
  async function talk(): Promise<void> {
    await converse(open(), tally.begin('gRPC stream'), MESSAGES);
  }

  /** At a moment by chance: from before the first message until after the last answer. */
  async function leave(): Promise<void> {
    const outcome = tally.begin('gRPC abort');
    const stream = open();
    setTimeout(() => stream.cancel(), Math.random() * SLOW_MS);
    await converse(stream, outcome, Number.POSITIVE_INFINITY);
  }

  return { run: [unary, hurry, talk, leave], close: () => client.close() };
}

/** Each message is sent when the one before has come back. */
function converse(
  stream: ClientDuplexStream<Buffer, Buffer>,
  outcome: Outcome,
  messages: number,
): Promise<void> {
  let heard = 0;
  return new Promise((done) => {
    stream.on('data', (message: Buffer) => {
      if (message.toString() !== String(heard)) outcome.lost(`${message.toString()} for ${heard}`);
      if (++heard < messages) stream.write(Buffer.from(String(heard)));
      else stream.end();
    });
    stream.on('error', (error: ServiceError) => {
      settle(outcome, error);
      done();
    });
    stream.on('end', () => {
      if (heard === messages) outcome.answered();
      done();
    });
    stream.write(Buffer.from('0'));
  });
}
