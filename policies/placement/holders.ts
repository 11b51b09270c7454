/** A revision that holds memory. */
export interface Holder {
  readonly revision: string;
  /** Of all its instances that are not on their way out. */
  readonly bytes: number;
  /** `pinned`: a floor holds it. `inUse`: requests of it wait or run. `parked`: all that it has is frozen. */
  readonly state: 'pinned' | 'inUse' | 'idle' | 'parked';
  readonly idleSince: number;
  /** What keeping it is worth for each byte: the least goes first. Absent: nothing is known of it. */
  readonly worth?: number;
  /** When its newest instance became ready, and what that took; absent: it has not yet. */
  readonly readyAt?: number | undefined;
  readonly startMs?: number;
  /** Of its instances that are on their way out, and since when. */
  readonly leaving?: { readonly bytes: number; readonly since: number };
}

/** What is on its way out for longer has requests that may run for hours: nobody waits for it before others. */
const STUCK_MS = 30_000;

/** Bytes that will be free soon, that are on their way out for too long, and that no turn ends. */
export interface Outlook {
  readonly coming: number;
  readonly stuck: number;
  readonly pinned: number;
}

export function lookAt(holders: readonly Holder[], now: number): Outlook {
  let [coming, stuck, pinned] = [0, 0, 0];
  for (const { state, bytes, leaving } of holders) {
    if (state === 'pinned') pinned += bytes;
    if (!leaving) continue;
    if (now - leaving.since > STUCK_MS) stuck += leaving.bytes;
    else coming += leaving.bytes;
  }
  return { coming, stuck, pinned };
}
