import { request } from 'node:http';
import { splitAddress } from '#domain/address.ts';

/** What the queue-proxy of a pod says of it: that it takes requests, that it does not yet, or nothing at all. */
export type ProbeResult = 'ready' | 'unready' | 'away';

/** A pod whose network is not there yet loses what is sent to it, and TCP would try again after a second only. */
const CONNECT_MS = 300;
/** The queue-proxy keeps a probe until its container is ready: who waits for the answer hears of it at once. */
const ANSWER_MS = 1000;
/** The answer is one word. */
const LONGEST_ANSWER = 64;
const NAME = 'queue';

/** Asks the pod that listens at `to`. Never rejects. */
export async function probePod(to: string, signal: AbortSignal): Promise<ProbeResult> {
  const { host, port } = splitAddress(to);
  return await new Promise((resolve) => {
    const headers = { 'K-Network-Probe': NAME, 'User-Agent': 'Knative-Activator-Probe' };
    const asked = request({ host, port, path: '/healthz', headers, agent: false, signal });
    let connected = false;
    let body = '';
    const end = (result: ProbeResult): void => {
      resolve(result);
      asked.destroy();
    };
    asked.setTimeout(CONNECT_MS, () => end(connected ? 'unready' : 'away'));
    asked.on('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
        asked.setTimeout(ANSWER_MS);
      });
    });
    asked.on('error', () => end(connected ? 'unready' : 'away'));
    asked.on('response', (response) => {
      response.setEncoding('latin1');
      response.on('data', (piece: string) => {
        body += piece;
        if (body.length > LONGEST_ANSWER) end('unready');
      });
      response.on('end', () =>
        end(response.statusCode === 200 && body === NAME ? 'ready' : 'unready'),
      );
      response.on('error', () => end('unready'));
    });
    asked.end();
  });
}
