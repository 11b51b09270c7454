import { createServer } from 'node:http';

/** Answers on the socket that it is given. */
process.once('message', (_, socket) => {
  createServer((request, response) => response.end(request.url)).listen(socket);
});
