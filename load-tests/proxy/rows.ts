import type { Load } from '../measure/wrk.ts';

/** The same five as in the table of goals. */
export const ROWS: readonly Load[] = [
  { name: 'get-32', method: 'GET', path: '/', bodyBytes: 0, connections: 32 },
  { name: 'post-1k-32', method: 'POST', path: '/', bodyBytes: 1024, connections: 32 },
  { name: 'get-128', method: 'GET', path: '/', bodyBytes: 0, connections: 128 },
  { name: 'post-100k-32', method: 'POST', path: '/', bodyBytes: 102_400, connections: 32 },
  { name: 'stream-50-32', method: 'GET', path: '/stream', bodyBytes: 0, connections: 32 },
];
