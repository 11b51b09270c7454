import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { TensorInfo } from '#domain/records.ts';
import { type ModelAnswer, readModel, readRevision } from '#domain/read-views.ts';
import { causeOf, Fault } from '#lib/fault.ts';
import { type Client, modelPath } from '../client.ts';
import { reasonOf } from '../documents.ts';
import { formatExample, predictAddress } from '../example.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';
import { reachableFrom } from '../reach.ts';
import { suggest } from '../suggest.ts';

/** What says where the time went and who answered. */
const INTERESTING = ['rouse-revision', 'rouse-cold-start', 'server-timing'] as const;
/** An example of more values than this helps nobody. */
const MAX_EXAMPLE = 64;

/** Many times the longest reason; anything larger is an answer of the model's own. */
const MAX_PROBLEM_BYTES = 256 * 1024;

interface Options extends Common {
  readonly data?: string;
  readonly path?: string;
  readonly async?: boolean;
  readonly webhook?: string;
}

export function addInvoke(program: Command, io: Io, exit: { status: number }): void {
  program
    .command('invoke')
    .description('call a model: by V2 for inputs, by V1 for instances, else at its own address')
    .argument('<name>', 'the model')
    .option('-d, --data <body>', 'the body; @file, or @- for what comes in')
    .option('--path <path>', "a path of the model's own")
    .option('--async', 'do not wait for the answer: print what says where it will be')
    .option('--webhook <url>', 'who is told when the answer is there; with --async')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const headers = laterHeaders(options, command);
      const client = modelClientFor(io, options, name);
      const body = options.data === undefined ? undefined : await readBody(options.data, io);
      const path = modelPath(namespaceOf(options), name);
      const model = await client.call({ path }, readModel);
      const url = await urlFor(client, model, { ...options, body });
      const response = await call(io, reachableFrom(client.server, url), body, headers);
      showHead(response, io);
      if (!response.ok) exit.status = 1;
      if (isProblem(response)) await showProblem(response, io);
      else for await (const chunk of response.body ?? []) io.stdout.write(chunk);
    });
}

function laterHeaders(
  { async: isAsync, webhook }: Options,
  command: Command,
): Readonly<Record<string, string>> {
  if (!isAsync && webhook !== undefined) {
    command.error('error: --webhook tells of a request that is not waited for: add --async');
  }
  if (!isAsync) return {};
  return { prefer: 'respond-async', ...(webhook !== undefined && { 'rouse-webhook': webhook }) };
}

async function readBody(data: string, io: Io): Promise<Buffer> {
  if (!data.startsWith('@')) return Buffer.from(data);
  if (data === '@-') {
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }
  const file = data.slice(1);
  return await readFile(resolve(io.cwd, file)).catch((error: unknown) => {
    throw new Fault('not_found', `${file} cannot be read: ${reasonOf(error)}`);
  });
}

async function urlFor(
  client: Client,
  model: ModelAnswer,
  options: Options & { readonly body: Buffer | undefined },
): Promise<string> {
  const { addresses } = model.status;
  const { path, body } = options;
  if (path !== undefined) return addresses.path + path.replace(/^\//, '');
  const protocol = body && protocolOf(body);
  if (protocol === 'V2') return addresses.infer;
  if (protocol === 'V1') return predictAddress(addresses.infer);
  const inputs = await inputsOf(client, model, options);
  if (!inputs) return addresses.path;
  // At its own address it has nothing; V2 says what is wrong with the body.
  if (body) return addresses.infer;
  const { name } = model.metadata;
  const size = inputs.flatMap(({ shape }) => shape).reduce((all, each) => all * Math.abs(each), 1);
  const example = size <= MAX_EXAMPLE ? formatExample(inputs) : '@request.json';
  const target = { server: client.server, namespace: namespaceOf(options) };
  const call = suggest(['invoke', name, '-d', example], target);
  throw new Fault('bad_request', `${name} takes tensors. Give them, such as: ${call}`);
}

function protocolOf(body: Buffer): 'V2' | 'V1' | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value !== 'object' || value === null) return undefined;
    if ('inputs' in value && Array.isArray(value.inputs)) return 'V2';
    return 'instances' in value ? 'V1' : undefined;
  } catch {
    return undefined;
  }
}

/** Those that a revision that takes requests declares; undefined when it does not speak V2 and V1. */
async function inputsOf(
  client: Client,
  { metadata, status }: ModelAnswer,
  options: Options,
): Promise<readonly TensorInfo[] | undefined> {
  const revision = status.traffic[0]?.revision ?? status.revisions.at(-1)?.name;
  if (revision === undefined) return undefined;
  const path = modelPath(namespaceOf(options), metadata.name, 'revisions', revision);
  return (await client.call({ path }, readRevision)).inspection?.inputs;
}

async function call(
  io: Io,
  url: string,
  body: Buffer | undefined,
  more: Readonly<Record<string, string>>,
): Promise<Response> {
  try {
    if (body === undefined) return await io.fetch(url, { headers: more, signal: io.signal });
    const json = /^\s*[[{]/.test(body.subarray(0, 64).toString());
    const type = json ? 'application/json' : 'application/octet-stream';
    const headers = { ...more, 'content-type': type };
    return await io.fetch(url, { method: 'POST', body, headers, signal: io.signal });
  } catch (error) {
    throw new Fault('unavailable', `${url} cannot be reached: ${causeOf(error)}`);
  }
}

function isProblem({ ok, headers }: Response): boolean {
  return !ok && /^application\/problem\+json\b/i.test(headers.get('content-type') ?? '');
}

/** A refusal is told like that of any other command; what is none after all is shown as it is. */
async function showProblem(response: Response, io: Io): Promise<void> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_PROBLEM_BYTES) io.stdout.write(Buffer.concat(chunks.splice(0)));
  }
  const rest = Buffer.concat(chunks);
  const detail = size > MAX_PROBLEM_BYTES ? undefined : detailOf(rest.toString());
  if (detail === undefined) io.stdout.write(rest);
  else io.stderr.write(`rouse: ${detail}\n`);
}

function detailOf(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || !('detail' in body)) return undefined;
    return typeof body.detail === 'string' ? body.detail : undefined;
  } catch {
    return undefined;
  }
}

/** For a person; a program that reads the answer gets the answer alone. */
function showHead(response: Response, io: Io): void {
  if (!io.stderr.isTTY) return;
  io.stderr.write(`${response.status} ${response.statusText}\n`);
  for (const name of INTERESTING) {
    const value = response.headers.get(name);
    if (value !== null) io.stderr.write(`${name}: ${value}\n`);
  }
}
