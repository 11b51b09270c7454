import type { Upward } from '#bus/messages.ts';
import type { RequestInquiry, RequestReply, Submission } from '#bus/requests.ts';
import type { Timers } from '#lib/timers.ts';

/** A group commit takes milliseconds; on a slow disk under load it may take seconds. */
const PATIENCE_MS = 30_000;
/** Bodies that are on the link at once, as base64: routing and wakes go over it, too, and it ends when too much waits. */
const MAX_ON_LINK = 32 * 2 ** 20;
/** As much as an answer of 8 MiB is, as base64; how large it will be is not known here. */
const ANSWER_BYTES = 12 * 2 ** 20;

const AWAY: RequestReply = {
  what: 'fault',
  code: 'unavailable',
  message: 'Asynchronous requests are kept by control, which is away. Try again.',
  retryAfter: 1,
};

type Message = Extract<Upward, { type: 'submit' | 'inquire' | 'dismiss' }>;
type Tell = (reply: RequestReply) => void;

/** Asynchronous requests are handed to control here, and asked for. Each call is replied to once, unless it is left. */
export interface RequestDesk {
  /** Nobody waits for changes any more: those who do are told that control is away. */
  beginClose(): void;
  /** The function that is returned leaves: no reply comes any more. */
  submit(submission: Submission, tell: Tell): () => void;
  inquire(inquiry: RequestInquiry, tell: Tell): () => void;
}

interface Call {
  readonly message: Exclude<Message, { type: 'dismiss' }>;
  /** Bytes on the link. */
  readonly weight: number;
  readonly tell: Tell;
  cancelTimer?: () => void;
}

/**
 * Invariants:
 * 1. Of what has been sent and not replied to, the weights are together at most `MAX_ON_LINK`, but for one call.
 * 2. Calls go out in the order in which they came.
 * 3. When the link ends all calls are replied to: what control did with them is not known.
 */
export function createRequestDesk(options: {
  timers: Timers;
  isLinked: () => boolean;
  send: (message: Message) => void;
}): RequestDesk & {
  onReply(id: number, reply: RequestReply): void;
  onUnlinked(): void;
} {
  const { timers, isLinked, send } = options;
  const queue = new Set<Call>();
  const sent = new Map<number, Call>();
  let onLink = 0;
  let last = 0;
  let closing = false;

  function open(call: Call): () => void {
    if (!isLinked() || (closing && waits(call))) {
      call.tell(AWAY);
      return () => {};
    }
    queue.add(call);
    flush();
    return () => leave(call);
  }

  function flush(): void {
    for (const call of queue) {
      if (onLink > 0 && onLink + call.weight > MAX_ON_LINK) return;
      queue.delete(call);
      sent.set(call.message.id, call);
      onLink += call.weight;
      const { message } = call;
      const patience = PATIENCE_MS + waitOf(call);
      call.cancelTimer = timers.after(patience, () => settle(message.id, AWAY));
      send(message);
    }
  }

  function forget(call: Call): boolean {
    call.cancelTimer?.();
    if (!sent.delete(call.message.id)) return queue.delete(call);
    onLink -= call.weight;
    return true;
  }

  function settle(id: number, reply: RequestReply): void {
    const call = sent.get(id);
    if (!call) return;
    forget(call);
    call.tell(reply);
    flush();
  }

  function leave(call: Call): void {
    const isSent = sent.has(call.message.id);
    if (!forget(call)) return;
    if (isSent) send({ type: 'dismiss', id: call.message.id });
    flush();
  }

  function end(calls: readonly Call[]): void {
    for (const call of calls) forget(call);
    for (const call of calls) call.tell(AWAY);
  }

  return {
    submit(submission, tell) {
      const message = { type: 'submit', id: ++last, submission } as const;
      return open({ message, weight: submission.body.length, tell });
    },
    inquire(inquiry, tell) {
      const message = { type: 'inquire', id: ++last, inquiry } as const;
      const weight = inquiry.about === 'answer' ? ANSWER_BYTES : 0;
      return open({ message, weight, tell });
    },
    beginClose() {
      closing = true;
      end([...sent.values(), ...queue].filter(waits));
    },
    onReply: settle,
    onUnlinked: () => end([...sent.values(), ...queue]),
  };
}

function waits(call: Call): boolean {
  return waitOf(call) > 0;
}

/** ms. */
function waitOf({ message }: Call): number {
  return message.type === 'inquire' ? (message.inquiry.wait?.ms ?? 0) : 0;
}
