import type { Clock, Timer } from '#lib/clock.ts';

interface Link<M> {
  send(message: M): void;
}

/** What a data plane answered. */
export interface Answered<A> {
  readonly dataPlane: string;
  readonly answer: A;
}

interface Poll<M, A> {
  /** Who has not answered, and its data plane. */
  readonly waiting: Map<Link<M>, string>;
  readonly answers: Answered<A>[];
  readonly finish: () => void;
}

/** Questions to several data planes. Each ends when all have answered or left, or after `ms`. */
export function createPolls<M, A>(clock: Clock, ms: number) {
  const open = new Map<number, Poll<M, A>>();
  let last = 0;

  function settle(poll: Poll<M, A>, link: Link<M>): void {
    poll.waiting.delete(link);
    if (poll.waiting.size === 0) poll.finish();
  }

  return {
    /** @param links by data plane */
    async ask(
      links: ReadonlyMap<string, Link<M>>,
      makeMessage: (id: number) => M,
    ): Promise<Answered<A>[]> {
      if (links.size === 0) return [];
      const id = ++last;
      const waiting = new Map(Array.from(links, ([dataPlane, link]) => [link, dataPlane]));
      const answers: Answered<A>[] = [];
      await new Promise<void>((resolve) => {
        const timer: Timer = clock.after(ms, finish);
        function finish(): void {
          timer.cancel();
          open.delete(id);
          resolve();
        }
        open.set(id, { waiting, answers, finish });
        for (const link of links.values()) link.send(makeMessage(id));
      });
      return answers;
    },
    answer(link: Link<M>, id: number, answer: A): void {
      const poll = open.get(id);
      const dataPlane = poll?.waiting.get(link);
      if (!poll || dataPlane === undefined) return;
      poll.answers.push({ dataPlane, answer });
      settle(poll, link);
    },
    forget(link: Link<M>): void {
      for (const poll of open.values()) settle(poll, link);
    },
    close(): void {
      for (const poll of open.values()) poll.finish();
    },
  };
}
