// POST a text, get the language that it is probably in: the one whose most frequent words it has most of.
const { createServer } = require('node:http');

const WORDS = {
  de: 'der die das und ist nicht ich ein eine zu mit auf für den von sie es wir auch',
  en: 'the and is not a an to of in it that was for on with you we are this have',
  es: 'el la los las y es no un una de que en por con para se lo como más pero',
  fr: 'le la les et est pas un une de que dans pour avec je il nous vous ce qui sur',
  it: 'il lo la gli e è non un una di che in per con sono si ma come più questo',
  nl: 'de het een en is niet ik van dat te met voor zijn op aan wij ook maar er je',
};
const LANGUAGES = Object.entries(WORDS).map(([name, words]) => [name, new Set(words.split(' '))]);
const MAX_BYTES = 1_000_000;

function guess(text) {
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const scores = LANGUAGES.map(([language, known]) => {
    const hits = words.filter((word) => known.has(word)).length;
    return { language, share: hits / (words.length || 1) };
  });
  scores.sort((a, b) => b.share - a.share);
  return scores[0].share > 0 ? scores[0] : { language: 'unknown', share: 0 };
}

function reply(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

async function answer(request, response) {
  if (request.url === '/healthz') return reply(response, 200, { ok: true });
  if (request.method === 'GET') return reply(response, 200, { usage: 'POST a text' });
  if (request.method !== 'POST') return reply(response, 405, { error: 'POST a text' });
  let text = '';
  for await (const part of request.setEncoding('utf8')) {
    text += part;
    if (text.length > MAX_BYTES) return reply(response, 413, { error: 'the text is too long' });
  }
  return reply(response, 200, guess(text));
}

const server = createServer((request, response) => void answer(request, response));

const port = process.argv[process.argv.indexOf('--port') + 1];
server.listen(Number(port), '127.0.0.1');
// A pool of connections keeps them longer than Node would.
server.keepAliveTimeout = 600_000;
// Takes no more connections, finishes what runs, and so ends.
process.on('SIGTERM', () => server.close());
