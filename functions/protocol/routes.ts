import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import type { Settings } from '#functions/settings.ts';
import { Fault } from '#lib/fault.ts';
import { readBody } from './body.ts';
import { formatJson } from './json.ts';
import { parseInferRequest } from './request.ts';
import { type Answer, jsonAnswer, makeInferAnswer } from './response.ts';
import type { Servable } from './servable.ts';
import { parseInstances } from './v1.ts';

/**
 * V2 and V1 over plain `node:http`: a web framework and the Request classes would add more to a cold start
 * than all the rest of this server. Any model name is taken, since the activator has routed already, and
 * given back as it was asked.
 */

type Handler = (request: IncomingMessage, name: string, version: string | undefined) => Reply;
type Reply = Answer | Promise<Answer>;

const V2_MODEL = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(\/ready|\/infer)?$/;
const V1_MODEL = /^\/v1\/models\/([^/:]+)(:predict)?$/;

const FAILED = 'the model failed; its log says why';
/** Characters of what a model failed with that are told. */
const MOST_TOLD = 300;

export function createRoutes(
  model: Servable,
  { revision, tellsFailures }: Pick<Settings, 'revision' | 'tellsFailures'>,
): (request: IncomingMessage, response: ServerResponse) => void {
  const table = makeTable(model, revision);
  return (request, response) => {
    void answer(table, request).then(
      (reply) => send(response, 200, reply),
      (error: unknown) => refuse(response, error, tellsFailures),
    );
  };
}

async function answer(table: Readonly<Record<string, Handler>>, request: IncomingMessage) {
  const [path = ''] = (request.url ?? '').split('?', 1);
  const [, name, version, action] = V2_MODEL.exec(path) ?? [];
  const [, name1, action1] = V1_MODEL.exec(path) ?? [];
  const route = name ? `v2${action ?? ''}` : name1 ? `v1${action1 ?? ''}` : path;
  const handler = table[`${request.method ?? ''} ${route}`];
  if (handler) return handler(request, decode(name ?? name1), decode(version));
  const methods = ['GET', 'POST'].filter((method) => table[`${method} ${route}`]);
  if (methods.length === 0) throw new Fault('not_found', `no such path: ${path.slice(0, 200)}`);
  throw new Fault('method_not_allowed', `found ${request.method}, expected ${methods.join()}`);
}

function decode(part: string | undefined): string {
  try {
    return decodeURIComponent(part ?? '');
  } catch {
    throw new Fault('bad_request', `the path holds "${part}", which is no valid percent-encoding`);
  }
}

function makeTable(model: Servable, revision: string | undefined): Record<string, Handler> {
  const { platform, inputs, outputs, properties } = model.metadata;
  const versions = revision === undefined ? undefined : [revision];
  return {
    'GET /v2': () => json({ ...model.engine, extensions: ['binary_tensor_data'] }),
    'GET /v2/health/live': () => json({ live: true }),
    'GET /v2/health/ready': () => json({ ready: true }),
    'GET v2': (_, name) => json({ name, versions, platform, inputs, outputs, properties }),
    'GET v2/ready': (_, name) => json({ name, ready: true }),
    'GET v1': (_, name) => json({ name, ready: true }),
    'POST v2/infer': async (request, name, version) => {
      const body = await readBody(request);
      const length = request.headers['inference-header-content-length'];
      const asked = parseInferRequest(body, length?.toString(), inputs);
      const tensors = await model.infer(asked.inputs, asked.outputs);
      return makeInferAnswer({ name, version: version || revision }, asked, tensors);
    },
    'POST v1:predict': async (request) => {
      const instances = parseInstances(await readBody(request));
      return jsonAnswer(formatJson({ predictions: await model.predict(instances) }));
    },
  };
}

function json(value: unknown): Answer {
  return jsonAnswer(JSON.stringify(value));
}

function send(response: ServerResponse, status: number, answer: Answer): void {
  response.writeHead(status, answer.headers);
  response.cork();
  for (const chunk of answer.chunks) response.write(chunk);
  response.end();
  response.uncork();
}

function refuse(response: ServerResponse, error: unknown, tellsFailures: boolean): void {
  if (error instanceof Fault && error.code !== 'internal') {
    send(response, error.status, json({ error: error.message }));
    return;
  }
  // The caller left in the middle of its request: nobody is to blame or to be told.
  if (response.req.errored) return;
  console.error(error);
  const message = tellsFailures ? `the model failed: ${firstLineOf(error)}` : FAILED;
  send(response, 500, json({ error: error instanceof Fault ? error.message : message }));
}

function firstLineOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error);
  const [line = ''] = text.split('\n', 1);
  return line.slice(0, MOST_TOLD);
}
