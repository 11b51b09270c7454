import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDocument } from '#domain/parse.ts';
import { type ProgramRequest, programSpec } from '#domain/program-job.ts';
import { ROUSE } from '#lib/command.ts';
import type { Client } from '../client.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common, parseCount } from '../options.ts';
import { runJob } from '../run-job.ts';
import { checkSource, isRemote, upload } from '../upload.ts';

interface Options extends Common {
  readonly model?: string;
  readonly parent?: string;
  readonly source?: string;
  readonly image?: string;
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly memory?: string;
  readonly retries?: number;
  readonly deadline?: string;
  readonly detach?: boolean;
  readonly json?: boolean;
}

export function addProgram(program: Command, io: Io, exit: { status: number }): void {
  program
    .command('program')
    .description('run a program to its end; what it leaves may be the next revision of a model')
    .argument('[args...]', 'the program and its arguments, after --; ${SOURCE} is its source')
    .option('--model <name>', 'what it leaves is the next revision of this model')
    .option('--parent <revision>', 'that it is made from, instead of that with most of the traffic')
    .option('--source <path>', 'a file or folder with its code, which is pushed')
    .addOption(
      new Option(
        '--image <name>',
        'a container image that is the program, on Kubernetes',
      ).conflicts('source'),
    )
    .option(
      '--data <path>',
      'a file or folder that it works on, which is pushed, or a sha256: digest',
    )
    .option('--env <name=value>', 'of its environment; may be repeated', parseVariable)
    .option('--memory <size>', 'it is ended when it uses more, such as 2Gi')
    .option('--retries <count>', 'begin it again so often when it fails', parseCount)
    .option('--deadline <duration>', 'end it when it has taken longer, such as 2h')
    .option('--detach', 'do not wait for its end')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
It runs on the machine of the server, in a folder of its own, or in a pod on Kubernetes. ROUSE_DATA is the path of its data, ROUSE_PARENT that of
what the revision is made from that it shall follow. With --model it leaves one file or folder in the folder
ROUSE_OUTPUT, and metrics.json: { "metrics": { "accuracy": { "value": 0.97, "count": 540 } }, "parent": … }.
The model's selection decides whether the revision serves.
Example: ${ROUSE} program --model digits --source ./retrain --data rows.csv -- node '\${SOURCE}/retrain.mjs'`,
    )
    .action(async (args: string[], _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = clientFor(io, options);
      const source = await push(options.source, client, io);
      const data = await push(options.data, client, io);
      const request = makeRequest(args, { ...options, source, data });
      parseDocument(programSpec, request, 'job');
      await runJob(request, options, io, exit);
    });
}

type Pushed = Omit<Options, 'source' | 'data'> & {
  readonly source: string | undefined;
  readonly data: string | undefined;
};

function makeRequest(args: string[], options: Pushed): ProgramRequest {
  const { model, parent, source, image, data, env, memory, retries, deadline } = options;
  return {
    kind: 'program',
    args,
    ...(image !== undefined && { runtime: 'image', source: image }),
    ...(env !== undefined && { env }),
    ...(model !== undefined && { model }),
    ...(parent !== undefined && { parent }),
    ...(source !== undefined && { source }),
    ...(data !== undefined && { data }),
    ...(memory !== undefined && { resources: { limits: { memory } } }),
    ...(retries !== undefined && { retries }),
    ...(deadline !== undefined && { deadline }),
  };
}

/** The digest under which it is stored. */
async function push(
  given: string | undefined,
  client: Client,
  io: Io,
): Promise<string | undefined> {
  if (given === undefined || isRemote(given)) return given;
  const path = resolve(io.cwd, given);
  await checkSource(path);
  return await upload(client, path, io.stderr);
}

function parseVariable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === '') throw new InvalidArgumentError('Expected NAME=value, such as EPOCHS=5.');
  return { ...before, [name]: value };
}
