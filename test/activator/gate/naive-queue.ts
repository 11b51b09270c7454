import { HEAD_START_MS } from '#policies/priority.ts';

/** What the model of a queue knows of a request. */
export interface Entry {
  readonly callerId: string;
  readonly priority: number;
  readonly arrivedAt: number;
}

interface Kept<E> {
  readonly entry: E;
  order: number;
  turn: number | undefined;
}

/**
 * The order of a gate's queue, in the plainest way: a list that is searched for everything. Within caller and
 * class by arrival; callers of a class in turn; classes by the arrival of who is next in each, set back.
 */
export class NaiveQueue<E extends Entry> {
  private kept: Kept<E>[] = [];
  private readonly known = new Map<E, Kept<E>>();
  private tickets = 0;

  get entries(): E[] {
    return this.kept.map(({ entry }) => entry);
  }

  pass(entry: E): void {
    const order = (this.tickets += 1);
    this.known.set(entry, { entry, order, turn: order });
  }

  add(entry: E): void {
    const kept = { entry, order: (this.tickets += 1), turn: undefined };
    this.known.set(entry, kept);
    this.kept.push(kept);
    this.giveTurns();
  }

  addAgain(entry: E): void {
    this.kept.push(this.known.get(entry)!);
    this.giveTurns();
  }

  take(entry: E): void {
    this.kept = this.kept.filter((kept) => kept.entry !== entry);
    this.giveTurns();
  }

  remove(entry: E): void {
    const gone = this.known.get(entry)!;
    const wasHead = this.heads().includes(gone);
    this.kept = this.kept.filter((kept) => kept !== gone);
    const heir = this.heads().find(({ entry: head }) => isSameLine(head, entry));
    if (wasHead && heir) heir.turn = gone.turn;
    this.giveTurns();
  }

  next(): E | undefined {
    const nexts = [0, 1, 2].flatMap((priority) => this.nextOf(priority) ?? []);
    const rank = (entry: E): number => entry.arrivedAt + entry.priority * HEAD_START_MS;
    return nexts.toSorted((a, b) => rank(a) - rank(b) || a.priority - b.priority)[0];
  }

  nextOf(priority: number): E | undefined {
    const heads = this.heads().filter(({ entry }) => entry.priority === priority);
    return heads.toSorted((a, b) => a.turn! - b.turn!)[0]?.entry;
  }

  private heads(): Kept<E>[] {
    return this.kept.filter(({ entry, order }) =>
      this.kept.every((other) => !isSameLine(other.entry, entry) || other.order >= order),
    );
  }

  private giveTurns(): void {
    for (const head of this.heads()) head.turn ??= this.tickets += 1;
  }
}

function isSameLine(a: Entry, b: Entry): boolean {
  return a.callerId === b.callerId && a.priority === b.priority;
}
