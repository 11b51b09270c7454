import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A Service's ports on this machine, as a user gets them. */
export interface Forward {
  /** By the Service's ports. */
  readonly urls: Readonly<Record<number, string>>;
  close(): Promise<void>;
}

export async function forward(namespace: string, service: string, ports: readonly number[]) {
  const target = ['--namespace', namespace, `service/${service}`];
  const child = spawn('kubectl', ['port-forward', ...target, ...ports.map((port) => `:${port}`)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { urls: await readUrls(child, ports), close: () => end(child) };
}

/** One line for each port, in their order, of IPv4; and one of IPv6, where there is that. */
async function readUrls(
  child: ChildProcess & { stdout: NonNullable<ChildProcess['stdout']> },
  ports: readonly number[],
): Promise<Record<number, string>> {
  const found: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /^Forwarding from (127\.0\.0\.1:\d+) /.exec(line) ?? [];
    if (address !== undefined) found.push(`http://${address}`);
    if (found.length === ports.length) break;
  }
  // Or it stops when nobody reads what it says.
  child.stdout.resume();
  return Object.fromEntries(ports.map((port, index) => [port, found[index] ?? '']));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}
