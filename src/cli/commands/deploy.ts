import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { RUNTIMES, type RuntimeName } from '#domain/model.ts';
import { isModel, parseModel } from '#domain/parse.ts';
import { type ModelAnswer, readModel, readRevision, readServer } from '#domain/read-views.ts';
import type { TensorInfo } from '#domain/records.ts';
import type { CurlWay } from '#domain/views.ts';
import { ROUSE } from '#lib/command.ts';
import { Fault } from '#lib/fault.ts';
import { adviseTraffic } from '../advise.ts';
import { type AppliedModel, applyModel } from '../apply.ts';
import { type Client, modelPath } from '../client.ts';
import { formatTensor, makeCurl } from '../example.ts';
import { guessRuntime } from '../guess.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common, namespaceOf, parseCount, parseMemory } from '../options.ts';
import { isHere, reachableFrom } from '../reach.ts';
import { suggest } from '../suggest.ts';
import { waitUntilSettled } from '../wait.ts';
import { formatLine } from './apply.ts';

interface Options extends Common {
  readonly runtime?: RuntimeName;
  readonly concurrency?: number;
  readonly memory?: string;
  readonly idle?: string;
  readonly max?: number;
}

export function addDeploy(program: Command, io: Io, exit: { status: number }): void {
  program
    .command('deploy')
    .description('make an endpoint of a model file, a function, a folder or an address')
    .argument('<name>', 'the model; when it is there, this is its next revision')
    .argument('<source>', 'an .onnx, .ts or .js file, a folder with model.py or index.ts, a URL')
    .addOption(new Option('--runtime <name>', 'what runs it, if not guessed').choices(RUNTIMES))
    .option('--concurrency <count>', 'requests an instance takes at once', parseCount)
    .option('--memory <size>', 'reserved for each instance, such as 256Mi', parseMemory)
    .option('--idle <duration>', 'how long an idle instance is kept, such as 60s')
    .option('--max <count>', 'most instances', parseCount)
    .addHelpText('after', `\nExample: ${ROUSE} deploy mine ./model.onnx`)
    .action(async (name: string, source: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = clientFor(io, options);
      const deployed = await deploy(client, { name, source, options, io });
      const { applied } = deployed;
      const settled = await waitUntilSettled(client, applied, io);
      io.stdout.write(formatLine(applied, settled));
      if (settled.state === 'Failed') {
        io.stderr.write(`${settled.reasons.join('\n')}\n`);
        exit.status = 1;
      } else io.stdout.write(await describe(client, deployed));
    });
}

const NO_ARGS = 'deploy cannot say which program to run. Write its args into a model file';

interface Deployment {
  readonly name: string;
  readonly source: string;
  readonly options: Options;
  readonly io: Io;
}

interface Deployed {
  readonly applied: AppliedModel;
  /** Who took its requests before. */
  readonly before: ModelAnswer['status']['traffic'];
}

async function deploy(client: Client, deployment: Deployment): Promise<Deployed> {
  const { name, source, options, io } = deployment;
  const namespace = namespaceOf(options);
  const runtime = options.runtime ?? (await guessRuntime(source, resolve(io.cwd, source)));
  // What is wrong with the command itself is told before anything is asked of the server. No option names the
  // arguments of a program: only the revision before has them.
  if (runtime !== 'command') parseModel(makeDocument(undefined, { ...deployment, runtime }), name);
  const before = await currentModel(client, namespace, name);
  const input = makeDocument(before, { ...deployment, runtime });
  const apply = suggest(['apply', '-f', 'FILE'], { server: client.server, namespace });
  if (runtime === 'command') {
    if (!hasArgs(before)) throw new Fault('invalid', `${name}: ${NO_ARGS}, and use: ${apply}`);
    parseModel(input, name);
  }
  if (!isModel(input)) {
    throw new Fault('invalid', `${name} is of a newer version. Use: ${apply}`);
  }
  const found = { key: `${namespace}/${name}`, input, file: name, folder: io.cwd };
  const applied = await applyModel(client, found, io.stderr);
  return { applied, before: before?.status.traffic ?? [] };
}

async function currentModel(
  client: Client,
  namespace: string,
  name: string,
): Promise<ModelAnswer | undefined> {
  try {
    return await client.call({ path: modelPath(namespace, name) }, readModel);
  } catch (error) {
    if (error instanceof Fault && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** The model as it is, with another revision; what the options do not say stays as it was. */
function makeDocument(
  before: ModelAnswer | undefined,
  { name, source, options, runtime }: Deployment & { runtime: RuntimeName },
): unknown {
  const { revision, revisions: _revisions, ...spec } = before?.spec ?? {};
  const { concurrency, memory, idle, max } = options;
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: before?.metadata ?? { name, namespace: namespaceOf(options) },
    spec: {
      ...spec,
      revision: {
        ...settingsOf(revision, runtime),
        runtime,
        source,
        ...(concurrency !== undefined && { concurrency }),
        ...(memory !== undefined && { resources: { memory } }),
      },
      ...(idle !== undefined && { keepAlive: { policy: 'fixed', idle } }),
      ...(max !== undefined && { scaling: { ...fieldsOf(spec['scaling']), max } }),
    },
  };
}

function hasArgs(before: ModelAnswer | undefined): boolean {
  return 'args' in settingsOf(before?.spec['revision'], 'command');
}

/** Settings of the revision before, if the same runtime understands them. Its name was its own. */
function settingsOf(revision: unknown, runtime: RuntimeName): object {
  const { name: _name, source: _source, ...settings } = fieldsOf(revision);
  return settings['runtime'] === runtime ? settings : {};
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** The address, what goes in and comes out, and a command that calls it. */
async function describe(client: Client, { applied, before }: Deployed): Promise<string> {
  const { namespace, name, revisions } = applied;
  const { status } = await client.call({ path: modelPath(namespace, name) }, readModel);
  const latest = revisions.at(-1) ?? '';
  const path = modelPath(namespace, name, 'revisions', latest);
  const { inspection } = await client.call({ path }, readRevision);
  const { addresses } = status;
  const lines = [
    `  address  ${reachableFrom(client.server, addresses.path)}`,
    ...(inspection?.inputs ?? []).map((tensor) => `  input    ${formatTensor(tensor)}`),
    ...(inspection?.outputs ?? []).map((tensor) => `  output   ${formatTensor(tensor)}`),
    ...adviseTraffic({ server: client.server, namespace, name }, latest, before, status.traffic),
    ...(await suggestRequest(client, addresses, inspection?.inputs)),
  ];
  return `${lines.join('\n')}\n`;
}

/** A command that calls it from here, as it is printed; or what is missing to it. */
async function suggestRequest(
  client: Client,
  addresses: ModelAnswer['status']['addresses'],
  inputs: readonly TensorInfo[] | undefined,
): Promise<string[]> {
  const { server } = client;
  const info = await client.call({ path: '/api/v1' }, readServer);
  const curl: CurlWay = info.curl ?? { origin: addresses.path };
  if ('why' in curl) return [`No request to paste: ${curl.why}.`];
  const at = (address: string): string =>
    reachableFrom(server, new URL(new URL(address).pathname, curl.origin).href);
  const found = { path: at(addresses.path), infer: at(addresses.infer) };
  if (curl.certificate === undefined || isHere(server)) {
    return ['Try:', `  ${makeCurl(found, inputs, curl)}`];
  }
  const copy = `a copy of ${curl.certificate} of ${new URL(server).hostname}`;
  return [
    'Try:',
    `  ${makeCurl(found, inputs, {})}`,
    `Where its certificate is not trusted, add --cacert with ${copy}.`,
  ];
}
