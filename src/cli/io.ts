import type { Clock } from '#lib/clock.ts';

/** Where text goes. A terminal gets progress; a file or a pipe never does. */
export interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
}

/** All that the command line touches of the world, so that a test can be that world. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Ends what would go on: `logs -f`, waiting. */
  readonly signal: AbortSignal;
}

/** Resolves after `ms`, or at once when the signal ends. */
export async function pause(io: Pick<Io, 'clock' | 'signal'>, ms: number): Promise<void> {
  if (io.signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = io.clock.after(ms, done);
    function done(): void {
      io.signal.removeEventListener('abort', done);
      timer.cancel();
      resolve();
    }
    io.signal.addEventListener('abort', done, { once: true });
  });
}
