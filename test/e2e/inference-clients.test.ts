import { execFile, spawnSync } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SAMPLES = join(ROOT, 'functions/samples');
const PROGRAM = join(import.meta.dirname, 'programs/triton_client.py');
/** Where the Python packages of clients are: `.ci/run` says it. */
const PYTHON = process.env['ROUSE_TEST_PYTHON'] ?? 'python3';
const HAS_TRITON =
  spawnSync(PYTHON, ['-c', 'import tritonclient.grpc, tritonclient.http']).status === 0;
const CLIENT_MS = 50_000;

const DOUBLE = `export default {
  inputs: [{ name: 'x', datatype: 'FP64', shape: [-1, 2] }],
  outputs: [{ name: 'y', datatype: 'FP64', shape: [-1, 2] }],
  predict: ({ x }) => ({ y: x.map((row) => row.map((value) => value * 2)) }),
};
`;

function fileOf(name: string, revision: string): string {
  return `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revision: { name: v1, ${revision} }
  scaling: { max: 1, initial: 0 }
`;
}

let platform: Platform;

beforeAll(async () => {
  const folder = await makeFolder();
  const models = join(folder, 'models');
  await mkdir(models);
  for (const name of ['digits', 'digits.yaml', 'sentiment', 'sentiment.yaml']) {
    await cp(join(SAMPLES, name), join(models, name), { recursive: true });
  }
  await writeFile(join(models, 'double.ts'), DOUBLE);
  await writeFile(
    join(models, 'double.yaml'),
    fileOf('double', 'runtime: function, source: ./double.ts'),
  );
  const server = join(ROOT, 'test/fixtures/workloads/grpc-server.ts');
  const args = JSON.stringify([process.execPath, server, '${PORT}']);
  const echo = `runtime: command, args: ${args}, readiness: { grpc: true }`;
  await writeFile(join(models, 'echo.yaml'), fileOf('echo', echo));
  platform = await startPlatform(folder, { args: ['--apply', models] });
  await platform.until(/4 models/);
});

afterAll(async () => {
  await platform.end();
  await removeFolder(platform.folder);
});

test.skipIf(!HAS_TRITON)(
  'Triton by HTTP and gRPC, and grpcio: an ONNX model, Python, a function, a command (needs python3 with tritonclient, see requirements.txt)',
  async () => {
    const three = JSON.parse(await readFile(join(SAMPLES, 'digits/three.json'), 'utf8'));
    const image = JSON.stringify([three.inputs[0].data]);
    const args = [PROGRAM, `127.0.0.1:${platform.port}`, image];
    const { stdout } = await promisify(execFile)(PYTHON, args, { timeout: CLIENT_MS });
    const reached = JSON.parse(stdout);
    const answers = {
      live: true,
      ready: true,
      label: [3],
      probabilities: [1, 10],
      feeling: ['positive', 'negative'],
      scores: [true, false],
      doubled: [[3, -4]],
      refused: expect.stringContaining('There is no model'),
    };
    expect(reached).toEqual({
      http: answers,
      grpc: answers,
      inputs: ['image'],
      echo: { answer: 'hello', cold: 'true', refused: 'NOT_FOUND' },
    });
  },
);
