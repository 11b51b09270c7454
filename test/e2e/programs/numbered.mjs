/**
 * A program for tests, of runtime `command`: node numbered.mjs PORT VERSION LOG [GATE]
 * It listens only once the file GATE exists. It appends `begin NUMBER RUNNING PID` and `end NUMBER` to LOG for
 * each request with an `x-number`. `x-ms` makes it answer later; `x-stream` makes it answer in that many pieces.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, version, log, gate] = process.argv.slice(2);
let running = 0;

const server = createServer((request, response) => {
  const number = String(request.headers['x-number'] ?? '');
  if (number === '') return response.end('ready\n');
  running += 1;
  appendFileSync(log, `begin ${number} ${running} ${process.pid}\n`);
  response.on('finish', () => appendFileSync(log, `end ${number}\n`));
  response.on('close', () => (running -= 1));
  const pieces = Number(request.headers['x-stream'] ?? 0);
  response.setHeader('x-version', version);
  if (pieces > 0) stream(response, pieces);
  else
    setTimeout(() => response.end(`${version} ${number}\n`), Number(request.headers['x-ms'] ?? 0));
  return undefined;
});
server.keepAliveTimeout = 60_000;

function stream(response, pieces) {
  let left = pieces;
  const timer = setInterval(() => {
    if (response.destroyed) clearInterval(timer);
    else if (left === 0) {
      clearInterval(timer);
      response.end('end\n');
    } else {
      left -= 1;
      response.write(`piece ${left}\n`);
    }
  }, 5);
}

process.on('SIGTERM', () => server.close(() => process.exit(0)));

function listenWhenAllowed() {
  if (gate === undefined || existsSync(gate)) server.listen(Number(port), '127.0.0.1');
  else setTimeout(listenWhenAllowed, 5);
}
listenWhenAllowed();
