import { createServer } from 'node:net';

/** Listens on the socket path that it is given, until it is killed. */
createServer().listen({ path: process.argv[2] }, () => process.send?.('listening'));
