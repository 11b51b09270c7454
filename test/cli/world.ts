import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { compareUsage } from '#simulate/usage.ts';
import { createProgram, type ProgramOptions } from '#cli/program.ts';
import type { ServeRequest } from '#cli/commands/serve.ts';
import { systemClock } from '#lib/clock.ts';
import { startServer, type TestServer } from '#test/api/server.ts';

/** A folder, a server with its API, and the command line between them, in this process. */
export interface World {
  readonly folder: string;
  readonly server: TestServer;
  readonly served: readonly ServeRequest[];
  write(name: string, content: string): Promise<void>;
  run(args: readonly string[], io?: Partial<ProgramOptions>): Promise<Run>;
  close(): Promise<void>;
}

export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What was written to it; `isTTY` as a terminal would have it. */
export function createCapture(isTTY = false) {
  const chunks: Buffer[] = [];
  return {
    isTTY,
    write: (chunk: string | Uint8Array) => chunks.push(Buffer.from(chunk)),
    text: () => Buffer.concat(chunks).toString(),
  };
}

export async function createWorld(options: Parameters<typeof startServer>[0] = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-cli-'));
  const server = await startServer(options);
  const served: ServeRequest[] = [];

  async function run(args: readonly string[], io: Partial<ProgramOptions> = {}): Promise<Run> {
    const stdout = createCapture();
    const stderr = createCapture();
    const program = createProgram({
      stdout,
      stderr,
      stdin: lines([]),
      env: { ROUSE_SERVER: server.url },
      cwd: folder,
      fetch,
      clock: systemClock,
      signal: new AbortController().signal,
      version: '0.0.0-test',
      totalMemory: 2 ** 34,
      serve: async (request) => {
        served.push(request);
        return 0;
      },
      simulate: compareUsage,
      ...io,
    });
    const status = await program.run(args);
    return { status, stdout: stdout.text(), stderr: stderr.text() };
  }

  return {
    folder,
    server,
    served,
    async write(name, content) {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      // In one step: who watches the file never finds it empty.
      writeFileSync(path, content);
    },
    run,
    async close() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

export async function* lines(given: readonly string[]): AsyncGenerator<string> {
  yield* given;
}

/** The text of a model file of runtime `command`. */
export function fileOf(name: string, more = ''): string {
  return [
    'apiVersion: rouse.dev/v1alpha1',
    'kind: Model',
    `metadata: { name: ${name} }`,
    'spec:',
    "  revision: { name: v1, runtime: command, args: [serve, '${PORT}'] }",
    more,
    '',
  ].join('\n');
}
