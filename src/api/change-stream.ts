import type { Clock } from '#lib/clock.ts';
import { createFrameStream, createNews } from './stream.ts';

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

  async function* framesUntil(signal: AbortSignal): AsyncGenerator<string, undefined> {
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
    return undefined;
  }

  return createFrameStream(framesUntil, options.closing);
}
