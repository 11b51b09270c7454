// A model whose start takes some time, on the listening socket whose descriptor it is given.
const { createServer } = require('node:http');

const [descriptor, startMs] = process.argv.slice(2).map(Number);
setTimeout(() => {
  createServer((request, response) => response.end('ok\n')).listen({ fd: descriptor });
}, startMs);
