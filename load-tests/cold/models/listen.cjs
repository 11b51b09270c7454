// The smallest HTTP server in Node, on the listening socket whose descriptor it is given.
const { createServer } = require('node:http');

createServer((request, response) => response.end('ok\n')).listen({ fd: Number(process.argv[2]) });
