import type { EventRecord } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';

/** Keeps proxies and the peer's own timeouts from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000;
/** Told to browsers: how long to wait before they connect again. */
const RETRY_MS = 2000;
const PAGE = 200;

export interface EventSource {
  /** Events behind `after`, oldest first. */
  read(after: number, limit: number): Promise<readonly EventRecord[]>;
  /** Calls back when there may be new ones, until the signal. */
  watch(onNews: () => void, signal: AbortSignal): void;
}

/**
 * Events as a `text/event-stream`. The log is the truth and news only a reason to read it again: nothing is
 * kept for a slow reader, and nothing is lost or told twice when it comes back with its last id.
 */
export function createEventStream(options: {
  source: EventSource;
  after: number;
  clock: Clock;
  closing: AbortSignal;
}): ReadableStream<Uint8Array> {
  const { source, after, clock, closing } = options;
  return createFrameStream((signal) => makeFrames(source, after, clock, signal), closing);
}

/** Frames as they are asked for, in UTF-8, until there are no more, their reader leaves, or `closing`. */
export function createFrameStream(
  framesUntil: (signal: AbortSignal) => AsyncGenerator<string, undefined>,
  closing: AbortSignal,
): ReadableStream<Uint8Array> {
  const stop = new AbortController();
  const frames = framesUntil(AbortSignal.any([stop.signal, closing]));
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await frames.next();
        if (done) {
          stop.abort();
          controller.close();
        } else controller.enqueue(encoder.encode(value));
      },
      cancel: () => stop.abort(),
    },
    { highWaterMark: 1 },
  );
}

async function* makeFrames(
  source: EventSource,
  after: number,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string, undefined> {
  const news = createNews(clock, signal);
  source.watch(news.tell, signal);
  let cursor = after;
  yield `retry: ${RETRY_MS}\n\n`;
  while (!signal.aborted) {
    const events = await source.read(cursor, PAGE);
    for (const event of events) {
      cursor = event.id;
      yield `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
    }
    if (events.length === PAGE) continue;
    if ((await news.wait()) === 'quiet') yield ': still here\n\n';
  }
  return undefined;
}

/** One waiter: resolves at once when something was told since it last waited, or when the signal ended. */
export function createNews(clock: Clock, signal: AbortSignal) {
  let told = false;
  let wake: (() => void) | undefined;
  function tell(): void {
    told = true;
    wake?.();
  }
  signal.addEventListener('abort', tell, { once: true });
  return {
    tell,
    async wait(): Promise<'told' | 'quiet'> {
      if (!told) {
        await new Promise<void>((resolve) => {
          const timer = clock.after(HEARTBEAT_MS, resolve);
          wake = () => {
            timer.cancel();
            resolve();
          };
        });
        wake = undefined;
      }
      const result = told ? 'told' : 'quiet';
      told = false;
      return result;
    },
  };
}
