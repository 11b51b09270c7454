import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureGo } from '#test/go-toolchain.ts';

/** Go's net/http, in a process of its own. */
export interface GoPeer {
  /** What it finds in these requests, or in these responses to a request of this method. */
  read(kind: 'requests' | 'responses', bytes: Buffer, method?: string): Promise<string>;
  close(): Promise<void>;
}

export async function startGoPeer(): Promise<GoPeer> {
  const go = await ensureGo(process.env);
  const folder = mkdtempSync(join(tmpdir(), 'rouse-fuzz-'));
  const program = join(folder, 'peer');
  const build = ['build', '-buildvcs=false', '-o', program, '.'];
  execFileSync(go, build, { cwd: join(import.meta.dirname, 'go'), stdio: 'inherit' });
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: ((text: string) => void)[] = [];
  let received: Buffer[] = [];
  let size = 0;

  child.stdout.on('data', (chunk: Buffer) => {
    received.push(chunk);
    size += chunk.length;
    if (size < 4) return;
    let all = Buffer.concat(received);
    while (all.length >= 4 && all.length >= 4 + all.readUInt32BE(0)) {
      const end = 4 + all.readUInt32BE(0);
      waiting.shift()!(all.toString('latin1', 4, end));
      all = all.subarray(end);
    }
    received = [all];
    size = all.length;
  });

  return {
    read(kind, bytes, method = '') {
      const start = Buffer.alloc(6 + method.length);
      start.write(kind === 'requests' ? 'Q' : 'S');
      start[1] = method.length;
      start.write(method, 2, 'latin1');
      start.writeUInt32BE(bytes.length, 2 + method.length);
      child.stdin.write(start);
      child.stdin.write(bytes);
      return new Promise((resolve) => void waiting.push(resolve));
    },
    async close() {
      const closed = once(child, 'close');
      child.stdin.end();
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}
