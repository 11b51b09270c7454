import { connect } from 'node:net';
import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';
import type { Ready } from './components.ts';

/** A component that does not even answer is not ready. */
const ANSWER_MS = 1000;

/** Whether a component says that it is ready. `authority` is the PEM of who signs the cluster's certificates. */
export async function isReady(ready: Ready, authority: string): Promise<boolean> {
  return 'url' in ready ? await answers(ready.url, authority) : await accepts(ready.socket);
}

async function answers(url: string, authority: string): Promise<boolean> {
  const get = url.startsWith('https:') ? getTls : getPlain;
  return await new Promise((resolve) => {
    const request = get(url, { ca: authority, agent: false, timeout: ANSWER_MS }, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 300);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
  });
}

async function accepts(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path, () => resolve(true));
    socket.on('connect', () => socket.destroy());
    socket.on('error', () => resolve(false));
  });
}
