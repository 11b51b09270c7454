// A model that takes as long to start as the benchmark wants: it listens once the file RELEASE is there. It answers
// with how many requests it had before, and the number that the request carries.
const { existsSync } = require('node:fs');
const { createServer } = require('node:http');

let before = 0;
const server = createServer((request, response) => {
  if (request.url === '/ready') return response.end();
  const order = before++;
  request.resume();
  return request.once('end', () => {
    response.end(JSON.stringify({ order, number: Number(request.headers['bench-number']) }));
  });
});
const timer = setInterval(() => {
  if (!existsSync(process.env.RELEASE)) return;
  clearInterval(timer);
  server.listen(Number(process.argv[2]), '127.0.0.1');
}, 5);
