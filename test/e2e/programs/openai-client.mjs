// Calls the samples with OpenAI's client: `openai-client.mjs http://127.0.0.1:8080/v1`. Prints what it got.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'sk-foreign', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Are you awake?' }];

async function failure(call) {
  try {
    await call();
    return undefined;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, message: error.message };
  }
}

const models = await client.models.list();
const whole = await client.chat.completions.create({ model: 'chat', messages });
const pieces = [];
for await (const chunk of await client.chat.completions.create({
  model: 'chat',
  messages,
  stream: true,
})) {
  pieces.push(chunk.choices[0]?.delta.content ?? '');
}
const embeddings = await client.embeddings.create({ model: 'embed', input: ['a cat', 'the cat'] });
console.log(
  JSON.stringify({
    models: models.data.map(({ id }) => id),
    whole: whole.choices[0].message.content,
    streamed: pieces.join(''),
    pieces: pieces.length,
    embeddings: embeddings.data.map(({ embedding }) => embedding.length),
    unknown: await failure(() => client.chat.completions.create({ model: 'nobody', messages })),
    wrong: await failure(() => client.chat.completions.create({ model: 'chat', messages: [] })),
  }),
);
