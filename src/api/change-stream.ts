import type { Clock } from '#lib/clock.ts';
import { createNews } from './stream.ts';

/**
 * One thing as a `text/event-stream`: how it is now, and again when it has changed, until it is in its last state or
 * somebody ends it. A slow reader misses what lies between, never the last.
 */
export function createChangeStream<T>(options: {
  /** Of the events. */
  name: string;
  read: () => Promise<T>;
  isLast: (value: T) => boolean;
  /** Calls back when it may have changed, until the signal. */
  watch: (onNews: () => void, signal: AbortSignal) => void;
  clock: Clock;
  closing: AbortSignal;
}): ReadableStream<Uint8Array> {
  const { name, read, isLast, clock } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, options.closing]);

  async function* frames(): AsyncGenerator<string, undefined> {
    const news = createNews(clock, signal);
    options.watch(news.tell, signal);
    let before = '';
    while (!signal.aborted) {
      const value = await read();
      const text = JSON.stringify(value);
      if (text !== before) yield `event: ${name}\ndata: ${text}\n\n`;
      before = text;
      if (isLast(value)) break;
      if ((await news.wait()) === 'quiet') yield ': still here\n\n';
    }
    stop.abort();
    return undefined;
  }

  const all = frames();
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await all.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel: () => stop.abort(),
    },
    { highWaterMark: 1 },
  );
}
