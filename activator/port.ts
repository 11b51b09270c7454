import { createListener, type Listener, type ListenerOptions } from './listener.ts';

/** The port of a data plane, which may be opened later than the rest of it. */
export interface Port {
  open(): Promise<Listener>;
  /** Who listens there, once an opening that is under way is done; undefined: it was never opened. */
  opened(): Promise<Listener | undefined>;
  /** Reads the certificates again. */
  reload(): void;
}

export function createPort(options: ListenerOptions): Port {
  let opening: Promise<Listener> | undefined;
  let listener: Listener | undefined;
  return {
    async open() {
      opening = createListener(options);
      listener = await opening;
      return listener;
    },
    opened: async () => listener ?? opening,
    reload: () => listener?.reload(),
  };
}
