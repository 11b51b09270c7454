/** Values for one listener; what comes before it is set is kept and delivered then. */
export interface Mailbox<T> {
  readonly deliver: (value: T) => void;
  readonly listen: (listener: (value: T) => void) => void;
}

export function createMailbox<T>(): Mailbox<T> {
  const early: T[] = [];
  let listener: ((value: T) => void) | undefined;
  return {
    deliver(value) {
      if (listener) listener(value);
      else early.push(value);
    },
    listen(wanted) {
      listener = wanted;
      for (const value of early.splice(0)) wanted(value);
    },
  };
}

/** Something that happens once; a listener that comes later still hears of it. */
export interface Ending {
  readonly ended: boolean;
  readonly end: () => void;
  readonly onEnd: (listener: () => void) => void;
}

export function createEnding(): Ending {
  const mailbox = createMailbox<void>();
  let ended = false;
  return {
    get ended() {
      return ended;
    },
    end() {
      if (ended) return;
      ended = true;
      mailbox.deliver();
    },
    onEnd: (listener) => mailbox.listen(listener),
  };
}
