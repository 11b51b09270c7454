import type { Clock } from '#lib/clock.ts';

/** Prometheus waits 10 s by default; a data plane that is busy for a tenth of that is better left out. */
const SCRAPE_MS = 1000;

interface Scrapable {
  send(message: { readonly type: 'scrape'; readonly id: number }): void;
}

interface Scrape {
  readonly waiting: Set<Scrapable>;
  readonly texts: string[];
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
    async ask(links: readonly Scrapable[]): Promise<string[]> {
      if (links.length === 0) return [];
      const id = ++last;
      const texts: string[] = [];
      await new Promise<void>((resolve) => {
        const timer = clock.after(SCRAPE_MS, finish);
        function finish(): void {
          timer.cancel();
          open.delete(id);
          resolve();
        }
        open.set(id, { waiting: new Set(links), texts, finish });
        for (const link of links) link.send({ type: 'scrape', id });
      });
      return texts;
    },
    answer(link: Scrapable, { id, text }: { id: number; text: string }): void {
      const scrape = open.get(id);
      if (!scrape?.waiting.has(link)) return;
      scrape.texts.push(text);
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
