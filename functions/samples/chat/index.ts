import { setTimeout as sleep } from 'node:timers/promises';
import { speak } from './words.ts';

/**
 * Chat completions in the shape of OpenAI's API, whole or as a stream of server-sent events. What answers is a
 * toy (words.ts); the shapes and the streaming are real.
 *
 *   curl -sN localhost:8080/v1/chat/completions \
 *     -d '{"model": "chat", "stream": true, "messages": [{"role": "user", "content": "Are you awake?"}]}'
 */

/** So that the words can be seen coming. */
const MS_PER_WORD = 15;
const MAX_WORDS = 200;
const USAGE = 'POST /v1/chat/completions {"messages": [{"role": "user", "content": "Hello"}]}';

interface Question {
  readonly model: string;
  readonly text: string;
  readonly limit: number;
  readonly stream: boolean;
}

export default async function chat(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/') return Response.json({ usage: USAGE });
  if (!pathname.endsWith('/chat/completions')) return refuse(404, `no such path: ${pathname}`);
  if (request.method !== 'POST') return refuse(405, `found ${request.method}, expected POST`);
  const question = read(await request.json().catch(() => undefined));
  if (typeof question === 'string') return refuse(400, question);
  return question.stream ? stream(question, request.signal) : whole(question);
}

/** The question, or what is wrong with it. */
function read(body: unknown): Question | string {
  if (!isObject(body)) return 'expected a JSON object with messages';
  const { model = 'chat', messages, max_tokens: limit = 60, stream = false } = body;
  if (!Array.isArray(messages) || messages.length === 0) {
    return 'messages: expected a list such as [{"role": "user", "content": "Hello"}]';
  }
  if (typeof limit !== 'number' || !(limit >= 1)) return 'max_tokens: expected a number from 1';
  const text = messages.map((message: unknown) => JSON.stringify(message)).join('\n');
  return {
    model: String(model),
    text,
    limit: Math.min(Math.floor(limit), MAX_WORDS),
    stream: stream === true,
  };
}

function whole({ model, text, limit }: Question): Response {
  const words: string[] = [];
  const answer = speak(text, limit);
  let next = answer.next();
  for (; !next.done; next = answer.next()) words.push(next.value);
  const asked = text.split(/\s+/).length;
  return Response.json({
    ...head(model, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: words.join('') },
        finish_reason: next.value,
      },
    ],
    usage: {
      prompt_tokens: asked,
      completion_tokens: words.length,
      total_tokens: asked + words.length,
    },
  });
}

function stream(question: Question, signal: AbortSignal): Response {
  const events = ReadableStream.from(chunks(question, signal));
  return new Response(events.pipeThrough(new TextEncoderStream()), {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
  });
}

/** Ends when the caller leaves: the signal breaks the sleep. */
async function* chunks({ model, text, limit }: Question, signal: AbortSignal) {
  const base = head(model, 'chat.completion.chunk');
  const event = (delta: object, reason: string | null) =>
    `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
  yield event({ role: 'assistant', content: '' }, null);
  const answer = speak(text, limit);
  let next = answer.next();
  for (; !next.done; next = answer.next()) {
    yield event({ content: next.value }, null);
    await sleep(MS_PER_WORD, undefined, { signal });
  }
  yield event({}, next.value);
  yield 'data: [DONE]\n\n';
}

function head(model: string, object: string) {
  const created = Math.floor(Date.now() / 1000);
  return { id: `chatcmpl-${crypto.randomUUID()}`, object, created, model };
}

function refuse(status: number, message: string): Response {
  const error = { message, type: 'invalid_request_error', param: null, code: null };
  return Response.json({ error }, { status });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
