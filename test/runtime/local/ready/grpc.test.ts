import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RevisionSpecInput } from '#domain/model.ts';
import type { Address } from '#domain/routing.ts';
import { askGrpc } from '#runtime/local/ready/grpc-probe.ts';
import type { Workload } from '#runtime/runtime.ts';
import { createLocalSetup, type LocalSetup, programArgs } from '../harness.ts';

/** Readiness of programs that speak gRPC and nothing else. */

const PROGRAM = join(import.meta.dirname, '../../../fixtures/workloads/grpc-server.ts');

let setup: LocalSetup;
beforeEach(async () => {
  setup = await createLocalSetup();
});
afterEach(() => setup.close());

function command(args: string[], readiness: RevisionSpecInput['readiness']): Workload {
  return setup.workload({ runtime: 'command', args, readiness });
}

async function call(address: Address | undefined): Promise<string> {
  if (!address || !('port' in address)) throw new Error('no port');
  const client = new Client(`127.0.0.1:${address.port}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const answer = Promise.withResolvers<string>();
  client.makeUnaryRequest(
    '/test.Echo/Unary',
    same,
    same,
    Buffer.from('hello'),
    new Metadata(),
    (error, value) => (error ? answer.reject(error) : answer.resolve(String(value))),
  );
  const text = await answer.promise;
  client.close();
  return text;
}

test.each(['', 'health'])('a gRPC server is ready when it serves: %j', async (mode) => {
  const workload = command([process.execPath, PROGRAM, '${PORT}', mode], { grpc: true });
  expect(await call((await setup.ready(workload)).address)).toBe('hello');
});

test('one that says it does not serve is not ready', async () => {
  const server = new Server();
  const bytes = (value: Buffer): Buffer => value;
  const check = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  } as const;
  const NOT_SERVING = Buffer.from([8, 2]);
  const answer: handleUnaryCall<Buffer, Buffer> = (_, done) => done(null, NOT_SERVING);
  server.addService({ check }, { check: answer });
  const port = await promisify((done: (error: Error | null, port: number) => void): void =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), done),
  )();
  const seen: string[] = [];
  const over = Promise.withResolvers<void>();
  askGrpc(
    { host: '127.0.0.1', port },
    {
      onReady: () => seen.push('ready'),
      onArrived: () => {},
      onSeen: (what) => seen.push(what),
      onFailed: over.reject,
      onOver: over.resolve,
    },
  );
  await over.promise;
  server.forceShutdown();
  expect(seen.at(-1)).toBe('its gRPC health service says that it does not serve');
});

test('one that speaks HTTP/1 only is not ready', async () => {
  const workload = command(programArgs('serve'), { grpc: true, timeout: '1s' });
  expect((await setup.failed(workload)).reason).toMatch(/^not ready within 1s/);
});
