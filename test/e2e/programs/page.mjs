// A model with a web page: it reads events and a stream, and each piece is sent only when the page says that
// it has the one before.

const PAGE = `<!doctype html><p id="seen"></p><script>
const seen = [];
const show = (text) => {
  seen.push(text);
  document.getElementById('seen').textContent = seen.join(' ');
};
const events = new EventSource('events');
events.onmessage = ({ data }) => {
  show('event:' + data);
  if (data === '3') events.close();
  void fetch('ack?of=events', { method: 'POST' });
};
void (async () => {
  const response = await fetch('stream');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    show('piece:' + piece.value);
    void fetch('ack?of=stream', { method: 'POST' });
  }
  show('whole');
})();
</script>`;

const waiting = new Map();

async function* pieces(name, format) {
  for (let i = 1; i <= 3; i += 1) {
    const acknowledged = new Promise((resolve) => {
      waiting.set(name, resolve);
    });
    yield format(i);
    await acknowledged;
  }
}

function streamOf(name, type, format) {
  const body = ReadableStream.from(pieces(name, format)).pipeThrough(new TextEncoderStream());
  return new Response(body, { headers: { 'content-type': type } });
}

export default function page(request) {
  const { pathname, searchParams } = new URL(request.url);
  const name = pathname.split('/').at(-1);
  if (name === 'events') return streamOf(name, 'text/event-stream', (i) => `data: ${i}\n\n`);
  if (name === 'stream') return streamOf(name, 'text/plain', String);
  if (name !== 'ack') return new Response(PAGE, { headers: { 'content-type': 'text/html' } });
  waiting.get(searchParams.get('of'))?.();
  return new Response(null, { status: 204 });
}
