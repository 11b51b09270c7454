import { mustGiveWay } from '#policies/admission.ts';
import { Heaviest, type Weighed } from './heaviest.ts';

/** Who shares the bytes that may be held: the queue of a revision, or a caller with what it holds outside of all queues. */
export interface Party extends Weighed {
  /** Some of those that hold bytes for it are refused, until so many are free. It holds at least as many. */
  giveWay(bytes: number): void;
}

/** Who holds bytes outside of a queue. */
export interface Holder {
  /** Bytes. */
  readonly count: number;
  /** Others need the room: it lets go of all of it. */
  onCrowded(): void;
}

/**
 * The parties of one data plane. While there is room anybody may have it; when there is none, who holds least is sure of
 * as much as who holds most.
 *
 * Invariant: in the heap is exactly who holds bytes; a caller is kept while it has a holder.
 */
export class Parties {
  private readonly heaviest = new Heaviest<Party>();
  private readonly callers = new Map<string, Stray>();

  /** Bytes that a caller holds outside of all queues. */
  strayBytes(callerId: string): number {
    return this.callers.get(callerId)?.bytes ?? 0;
  }

  /** So many bytes more are held by it, outside of all queues. */
  addStray(callerId: string, holder: Holder, bytes: number): void {
    let stray = this.callers.get(callerId);
    if (!stray) {
      stray = new Stray();
      this.callers.set(callerId, stray);
    }
    stray.holders.add(holder);
    stray.bytes += bytes;
    this.change(stray);
  }

  /** It has let go of all its bytes, so many. */
  removeStray(callerId: string, holder: Holder, bytes: number): void {
    const stray = this.callers.get(callerId);
    if (!stray?.holders.delete(holder)) return;
    stray.bytes -= bytes;
    if (stray.holders.size === 0) this.callers.delete(callerId);
    this.change(stray);
  }

  /** Its bytes have changed. */
  change(party: Party): void {
    this.heaviest.change(party);
  }

  /**
   * Of who holds most, `missing` bytes are taken for one that holds `mine` with them. False: it would have fewer then,
   * and nobody gives way.
   */
  makeRoom(missing: number, mine: number): boolean {
    const { first } = this.heaviest;
    if (!first || !mustGiveWay(first.bytes, missing, mine)) return false;
    first.giveWay(missing);
    return true;
  }
}

/** What one caller holds outside of all queues. */
class Stray implements Party {
  place = -1;
  bytes = 0;
  /** Oldest first. */
  readonly holders = new Set<Holder>();

  /** What has taken longest to come gives way: it may be meant to. */
  giveWay(bytes: number): void {
    const gone: Holder[] = [];
    let left = bytes;
    for (const holder of this.holders) {
      if (left <= 0) break;
      left -= holder.count;
      gone.push(holder);
    }
    // Being told, one may take others along.
    for (const holder of gone) if (this.holders.has(holder)) holder.onCrowded();
  }
}
