// What the soak talks to: echoes bodies and WebSocket messages, streams events, answers at length.
const { createServer } = require('node:http');
const { WebSocketServer } = require('ws');

const EVENTS = 20;
const LARGE = Buffer.alloc(2 * 1024 * 1024, 'x');

function stream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let sent = 0;
  const timer = setInterval(() => {
    response.write(`data: ${sent}\n\n`);
    if (++sent === EVENTS) response.end();
  }, 2);
  response.once('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://any');
  if (pathname === '/events') return stream(response);
  if (pathname === '/large') return response.end(LARGE);
  const parts = [];
  request.on('data', (part) => parts.push(part));
  return request.on('end', () => {
    const body = parts.length > 0 ? Buffer.concat(parts) : pathname;
    response.writeHead(200, { 'content-length': Buffer.byteLength(body) }).end(body);
  });
});
server.keepAliveTimeout = 10 * 60_000;
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (message) => socket.send(message));
  socket.on('error', () => socket.terminate());
});
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
server.listen({ fd: Number(process.argv[2]) });
