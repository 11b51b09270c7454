import type { Clock } from '#lib/clock.ts';

/** Prometheus waits 10 s by default; a data plane that is busy for a tenth of that is better left out. */
const SCRAPE_MS = 1000;

interface Scrapable {
  send(message: { readonly type: 'scrape'; readonly id: number }): void;
}

/** What a data plane answered. */
export interface Scraped {
  readonly dataPlane: string;
  /** In Prometheus' text form. */
  readonly text: string;
}

interface Scrape {
  /** Who has not answered, and its data plane. */
  readonly waiting: Map<Scrapable, string>;
  readonly answers: Scraped[];
  readonly finish: () => void;
}

/** Questions for metrics that are on their way. Each ends when all have answered or left, or the time is up. */
export function createScrapes(clock: Clock) {
  const open = new Map<number, Scrape>();
  let last = 0;

  function settle(scrape: Scrape, link: Scrapable): void {
    scrape.waiting.delete(link);
    if (scrape.waiting.size === 0) scrape.finish();
  }

  return {
    /** @param links by data plane */
    async ask(links: ReadonlyMap<string, Scrapable>): Promise<Scraped[]> {
      if (links.size === 0) return [];
      const id = ++last;
      const waiting = new Map(Array.from(links, ([dataPlane, link]) => [link, dataPlane]));
      const answers: Scraped[] = [];
      await new Promise<void>((resolve) => {
        const timer = clock.after(SCRAPE_MS, finish);
        function finish(): void {
          timer.cancel();
          open.delete(id);
          resolve();
        }
        open.set(id, { waiting, answers, finish });
        for (const link of links.values()) link.send({ type: 'scrape', id });
      });
      return answers;
    },
    answer(link: Scrapable, { id, text }: { id: number; text: string }): void {
      const scrape = open.get(id);
      const dataPlane = scrape?.waiting.get(link);
      if (!scrape || dataPlane === undefined) return;
      scrape.answers.push({ dataPlane, text });
      settle(scrape, link);
    },
    forget(link: Scrapable): void {
      for (const scrape of open.values()) settle(scrape, link);
    },
    close(): void {
      for (const scrape of open.values()) scrape.finish();
    },
  };
}
