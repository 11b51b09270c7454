/**
 * A program for tests, of runtime `command`: node numbered.mjs PORT VERSION LOG [GATE]
 * It listens only once the file GATE exists. It appends `begin NUMBER RUNNING PID` and `end NUMBER` to LOG for
 * each request with an `x-number`. `x-ms` makes it answer later, `x-gate` once that file exists; `x-stream` makes it
 * answer in that many pieces.
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
  const answer = () => response.end(`${version} ${number}\n`);
  const { 'x-gate': own, 'x-ms': ms = 0 } = request.headers;
  if (pieces > 0) stream(response, pieces);
  else if (own) onceThere(own, answer);
  else setTimeout(answer, Number(ms));
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

function onceThere(file, run) {
  if (existsSync(file)) run();
  else setTimeout(() => onceThere(file, run), 5);
}

const listen = () => server.listen(Number(port), '127.0.0.1');
if (gate === undefined) listen();
else onceThere(gate, listen);
