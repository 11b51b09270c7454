import type { Downward, Upward } from './messages.ts';

/**
 * One end of an open connection. Messages arrive whole, in order, at most once. What is sent while the other
 * side does not read is kept up to a limit; beyond it the link is closed, and a new one starts afresh.
 */
export interface Link<Out, In> {
  /** Dropped when the link has ended. Throws Fault `too_large` for a message that no link could carry. */
  send(message: Out): void;
  /** One listener; what arrived before it was set is delivered then. */
  onMessage(listener: (message: In) => void): void;
  /** Called once, however the link ended. */
  onClose(listener: () => void): void;
  /** What was sent before still goes out; nothing comes in any more. */
  close(): void;
}

/** Control's end: takes links from any number of data planes. */
export interface BusHost {
  onLink(listener: (link: Link<Downward, Upward>) => void): void;
  close(): Promise<void>;
}

/**
 * The data plane's end: keeps one link to control open, and opens a new one, with backoff, when it breaks.
 * An implementation of host and client is whatever passes `test/bus/conformance.ts`.
 */
export interface BusClient {
  onLink(listener: (link: Link<Upward, Downward>) => void): void;
  close(): Promise<void>;
}
