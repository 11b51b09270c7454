import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What signals ask, at the node's address: pods and programs of the box reach it. */
export interface Prometheus {
  readonly url: string;
  close(): Promise<void>;
}

const NODE = '10.244.0.1';

/** Each query is one number, and the answer is that number. */
export async function startPrometheus(): Promise<Prometheus> {
  const server = createServer(({ url = '' }, response) => {
    const value = new URL(url, 'http://prometheus.invalid').searchParams.get('query');
    const result = [{ metric: {}, value: [Date.now() / 1000, value] }];
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, NODE, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${NODE}:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Two signals: one says that it takes four instances, the other one. */
export function makeSignals(weights: readonly [number, number]): object[] {
  const [four, one] = weights;
  return [
    { signal: 'prometheus', query: '12', target: 3, weight: four },
    { signal: 'prometheus', query: '3', target: 3, weight: one },
  ];
}
