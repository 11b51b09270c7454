import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RevisionSpecInput } from '#domain/model.ts';
import type { Address } from '#domain/routing.ts';
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
  const args = [process.execPath, PROGRAM, '${PORT}', 'never'];
  const workload = command(args, { grpc: true, timeout: '2s' });
  expect((await setup.failed(workload)).reason).toBe(
    'not ready within 2s: its gRPC health service says that it does not serve',
  );
});

test('one that speaks HTTP/1 only is not ready', async () => {
  const workload = command(programArgs('serve'), { grpc: true, timeout: '1s' });
  expect((await setup.failed(workload)).reason).toMatch(/^not ready within 1s/);
});
