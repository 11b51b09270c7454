/**
 * Work that is done side by side and handed on in the order in which it began.
 *
 * 1. At most `slots` pieces are under way, and at most `room` are begun and not yet handed on: a slow one at the
 *    front holds back the others, and memory is bounded.
 * 2. The first failure ends all: it is thrown to who takes the results, and nothing is begun after it.
 */
export interface Window<R> {
  /** Begins it when there is a slot and room. Resolves then; with false after a failure, when nothing is begun. */
  begin(work: () => Promise<R>): Promise<boolean>;
  /** Nothing more comes. */
  end(): void;
  /** More or fewer slots from now on. */
  slots(slots: number): void;
  /** In order, until `end`. One reader. */
  results(): AsyncGenerator<R, undefined>;
}

/** `room`: for so many slots. */
export function createWindow<R>(room: (slots: number) => number): Window<R> {
  const begun: Promise<R>[] = [];
  const waiting: (() => void)[] = [];
  let slots = 1;
  let underWay = 0;
  let ended = false;
  let failed = false;

  /** Everybody who waits looks again. */
  function turn(): void {
    for (const look of waiting.splice(0)) look();
  }

  async function change(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
    });
  }

  async function run(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      underWay--;
      turn();
    }
  }

  return {
    async begin(work) {
      while (!failed && (underWay >= slots || begun.length >= room(slots))) await change();
      if (failed) return false;
      underWay++;
      const piece = run(work);
      // Whoever reads the results meets it; until then it is nobody's.
      piece.catch(() => {});
      begun.push(piece);
      turn();
      return true;
    },
    end() {
      ended = true;
      turn();
    },
    slots(next) {
      slots = Math.max(1, next);
      turn();
    },
    async *results() {
      for (;;) {
        const [piece] = begun;
        if (piece) {
          yield await piece;
          void begun.shift();
          turn();
        } else if (ended) return undefined;
        else await change();
      }
    },
  };
}
