import type { BusClient, Link } from './bus.ts';
import type {
  Delta,
  Downward,
  Lease,
  NewLease,
  Question,
  RevisionWaits,
  Snapshot,
  Upward,
} from './messages.ts';
import { joinParts, type Lists } from './parts.ts';
import type { RequestReply } from './requests.ts';

/** A change of the routing state, to be applied in one turn, removals first. */
export interface StateChange extends Lists {
  /** The lists are all there is; what is not in them is gone. */
  readonly full: boolean;
}

export interface Subscriber {
  /** What is sent now goes out. */
  readonly linked: boolean;
  /** Dropped while there is no link. */
  send(message: Exclude<Upward, { type: 'hello' | 'metrics' | 'told' }>): void;
  /** There is a new link, and the hello is sent: whatever control must know is to be said again. */
  onLink(listener: () => void): void;
  onScrape(render: () => string | Promise<string>): void;
  close(): Promise<void>;
}

/**
 * The data plane's side of the routing state. Invariants:
 * 1. `onState` is called with changes that follow each other without a gap; after a gap or a new epoch the
 *    next call is a full one.
 * 2. While control is away nothing is called: the last good state holds.
 * 3. Leases that go with a state which is not there show a gap, too; those that were sent after the answer to one show
 *    that the answer is missing. They are taken all the same: they are absolute numbers, and control sends them again
 *    after the state.
 */
export function createSubscriber(options: {
  client: BusClient;
  dataPlane: string;
  onState: (change: StateChange) => void;
  /** Slots that this data plane may be using, for the hello; absent: none are leased to it. */
  leases?: () => readonly Lease[];
  onLease?: (leases: readonly NewLease[]) => void;
  /** Another data plane asks. */
  tell?: (question: Question) => RevisionWaits;
  /** The others have answered to an `ask`. */
  onAnswers?: (answers: Extract<Downward, { type: 'answers' }>) => void;
  /** To a `submit` or `inquire` on this link. */
  onReply?: (id: number, reply: RequestReply) => void;
  /** The link has ended, and nothing can be said until there is another. */
  onUnlinked?: () => void;
}): Subscriber {
  const { client, dataPlane, onState } = options;
  let link: Link<Upward, Downward> | undefined;
  let has: { readonly epoch: string; readonly version: number } | undefined;
  /** A gap was found on this link: until the snapshot that was asked for, deltas are of no use. */
  let resyncing = false;
  /** Found on this link so far. */
  let gaps = 0;
  let parts: (Snapshot | Delta)[] = [];
  let listener: (() => void) | undefined;
  let render: (() => string | Promise<string>) | undefined;

  function hello(known: typeof has): void {
    const leases = options.leases?.() ?? [];
    link?.send({ type: 'hello', dataPlane, ...known, ...(leases.length > 0 && { leases }) });
  }

  function resync(): void {
    resyncing = true;
    gaps += 1;
    hello(undefined);
  }

  function take(message: Downward): void {
    if (message.type === 'scrape') void answer(message.id);
    else if (message.type === 'lease') {
      const isHere = has?.epoch === message.epoch && has.version === message.version;
      if (!isHere && (!resyncing || message.gaps === gaps)) resync();
      options.onLease?.(message.leases);
    } else if (message.type === 'answers') options.onAnswers?.(message);
    else if (message.type === 'reply') options.onReply?.(message.id, message.reply);
    else if (message.type === 'ask') tell(message);
    else gather(message);
  }

  function tell({ id, ...question }: Extract<Downward, { type: 'ask' }>): void {
    if (options.tell) link?.send({ type: 'told', id, waits: options.tell(question) });
  }

  function gather(part: Snapshot | Delta): void {
    parts.push(part);
    if (part.more) return;
    const change = joinParts(parts);
    parts = [];
    if (part.type === 'delta') follow(part, change);
    else {
      resyncing = false;
      has = { epoch: part.epoch, version: part.version };
      onState({ full: true, ...change });
    }
  }

  function follow({ epoch, version }: Delta, change: Lists): void {
    if (resyncing) return;
    if (has?.epoch !== epoch || version !== has.version + 1) {
      resync();
      return;
    }
    has = { epoch, version };
    onState({ full: false, ...change });
  }

  async function answer(id: number): Promise<void> {
    const asker = link;
    const text = await metrics();
    try {
      asker?.send({ type: 'metrics', id, text });
    } catch {
      asker?.send({ type: 'metrics', id, text: '' });
    }
  }

  /** Metrics that cannot be made, or are too large for a link, are left out; that is no reason for a data plane to end. */
  async function metrics(): Promise<string> {
    try {
      return (await render?.()) ?? '';
    } catch {
      return '';
    }
  }

  client.onLink((made) => {
    link = made;
    resyncing = false;
    gaps = 0;
    parts = [];
    made.onClose(() => {
      if (link !== made) return;
      link = undefined;
      options.onUnlinked?.();
    });
    hello(has);
    made.onMessage(take);
    listener?.();
  });
  return {
    get linked() {
      return link !== undefined;
    },
    send: (message) => link?.send(message),
    onLink(wanted) {
      listener = wanted;
      if (link) wanted();
    },
    onScrape(wanted) {
      render = wanted;
    },
    close: () => client.close(),
  };
}
