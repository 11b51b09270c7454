import type { Downward, Question, RevisionWaits } from '#bus/messages.ts';
import type { Timers } from '#lib/timers.ts';

/** Control waits half as long for the slowest data plane. */
const ASK_MS = 500;
/** Different questions at once; who asks more gets what is known here. */
const MAX_ASKED = 1000;

/** The other data planes of the same models. */
export interface OtherPlanes {
  /** `isComplete`: all that there are have told. */
  ask(
    question: Question,
    then: (told: readonly RevisionWaits[], isComplete: boolean) => void,
  ): void;
}

/** Of a data plane that is the only one. */
export const NO_OTHERS: OtherPlanes = { ask: (_question, then) => then([], true) };

interface Asked {
  readonly id: number;
  readonly listeners: ((told: readonly RevisionWaits[], isComplete: boolean) => void)[];
  readonly cancelTimer: () => void;
}

/** Asks by way of control. Who asks the same at the same time gets the same answer. */
export function createOtherPlanes(options: {
  timers: Timers;
  /** False: control is away. */
  send: (question: Question & { id: number }) => boolean;
}): OtherPlanes & {
  onAnswers(answers: Omit<Extract<Downward, { type: 'answers' }>, 'type'>): void;
} {
  const { timers, send } = options;
  const open = new Map<string, Asked>();
  const keys = new Map<number, string>();
  let last = 0;

  function settle(key: string, told: readonly RevisionWaits[], isComplete: boolean): void {
    const asked = open.get(key);
    if (!asked) return;
    asked.cancelTimer();
    open.delete(key);
    keys.delete(asked.id);
    for (const then of asked.listeners) then(told, isComplete);
  }

  return {
    ask({ revision, request }, then) {
      const key = `${revision} ${request}`;
      const asked = open.get(key);
      if (asked) asked.listeners.push(then);
      else if (open.size >= MAX_ASKED || !send({ id: ++last, revision, request })) {
        then([], false);
      } else {
        const cancelTimer = timers.after(ASK_MS, () => settle(key, [], false));
        open.set(key, { id: last, listeners: [then], cancelTimer });
        keys.set(last, key);
      }
    },
    onAnswers({ id, told, complete }) {
      const key = keys.get(id);
      if (key !== undefined) settle(key, told, complete);
    },
  };
}
