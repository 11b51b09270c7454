import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A real browser without a window: Chromium, told what to do by its DevTools protocol. */
export interface Browser {
  /** Opens a page. `scripts: false`: those of the page do not run. */
  open(url: string, options?: { scripts?: boolean }): Promise<Page>;
  close(): Promise<void>;
}

export interface Page {
  /** What the page shows, once it fits. */
  until(pattern: RegExp): Promise<string>;
  /** What the browser complained of, but for the status of the page itself. */
  readonly complaints: readonly string[];
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly entry?: { readonly source: string; readonly text: string } };
  readonly result?: { readonly result?: { readonly value?: string } };
}

const LISTENING = /^DevTools listening on ws:\/\/([^/]+)\//;

/** `trustAll`: certificates are not checked. */
export async function startBrowser({ trustAll = false } = {}): Promise<Browser> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-browser-'));
  const child = spawn(
    'chromium',
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
      ...(trustAll ? ['--ignore-certificate-errors'] : []),
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  const address = await findAddress(child);
  const sockets: WebSocket[] = [];
  return {
    async open(url, { scripts = true } = {}) {
      const made = await fetch(`http://${address}/json/new?about:blank`, { method: 'PUT' });
      const { webSocketDebuggerUrl } = (await made.json()) as { webSocketDebuggerUrl: string };
      const socket = new WebSocket(webSocketDebuggerUrl);
      sockets.push(socket);
      await once(socket, 'open');
      return await openPage(socket, url, scripts);
    },
    async close() {
      for (const socket of sockets) socket.close();
      // It has processes of its own, in the group that it leads.
      if (child.pid !== undefined && child.exitCode === null) {
        const ended = once(child, 'exit');
        process.kill(-child.pid, 'SIGKILL');
        await ended;
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function findAddress(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('no output of the browser');
  for await (const line of createInterface(child.stderr)) {
    const found = LISTENING.exec(line)?.[1];
    if (found !== undefined) {
      child.stderr.resume();
      return found;
    }
  }
  throw new Error('the browser ended without listening');
}

async function openPage(socket: WebSocket, url: string, scripts: boolean): Promise<Page> {
  const answers = new Map<number, (message: Message) => void>();
  const complaints: string[] = [];
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) answers.get(message.id)?.(message);
    const { entry } = message.params ?? {};
    if (message.method === 'Log.entryAdded' && entry && entry.source !== 'network') {
      complaints.push(`${entry.source}: ${entry.text}`);
    }
  });
  const ask = (method: string, params: object = {}): Promise<Message> =>
    new Promise((resolve) => {
      last += 1;
      answers.set(last, resolve);
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  await ask('Page.enable');
  await ask('Log.enable');
  await ask('Emulation.setScriptExecutionDisabled', { value: !scripts });
  await ask('Page.navigate', { url });
  return {
    complaints,
    async until(pattern) {
      for (;;) {
        const { result } = await ask('Runtime.evaluate', {
          expression: 'document.documentElement.innerText',
        });
        const text = result?.result?.value ?? '';
        if (pattern.test(text)) return text;
      }
    },
  };
}
