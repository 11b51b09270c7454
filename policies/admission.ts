/** What becomes of an arriving request. Numbers, so that the hot path makes no object. */
export const GRANT = 0;
export const HOLD = 1;
/** As many wait as may wait. */
export const FULL_COUNT = 2;
/** What waits holds as many bytes as it may. */
export const FULL_BYTES = 3;
/** The caller does not want to wait. */
export const NO_HOLD = 4;
/** As much waits as may wait, and this one takes the place of another caller's. */
export const DISPLACE = 5;
/** As much waits as may wait, and none has more of it than this caller. */
export const OVER_SHARE = 6;

/**
 * Whether a request runs, waits or is refused. First come first served: nobody runs past those who wait.
 *
 * @param free whether an instance has room.
 * @param waiting requests that wait already, holding `waitingBytes`.
 * @param bytes what this one would hold while it waits.
 * @param holdMs how long the caller lets itself be held.
 */
export function decideAdmission(
  free: boolean,
  waiting: number,
  waitingBytes: number,
  bytes: number,
  holdMs: number,
  limits: { readonly requests: number; readonly bytes: number },
): number {
  if (free && waiting === 0) return GRANT;
  if (holdMs <= 0) return NO_HOLD;
  if (waiting >= limits.requests) return FULL_COUNT;
  if (waitingBytes + bytes > limits.bytes) return FULL_BYTES;
  return HOLD;
}

/**
 * What a full queue does with more: longest queue drop (Suter, Lakshman, Stiliadis, Choudhury, INFOCOM 1998), by
 * requests or by bytes. A newcomer takes from the caller that has most, unless it would have as much then: that
 * would be taking turns in being refused, and nobody's gain.
 *
 * @param full FULL_COUNT: all below are requests. FULL_BYTES: they are bytes.
 * @param mine what the newcomer's caller has of them.
 * @param more what the newcomer would add.
 * @param most what the caller has that has most.
 * @param callers how many callers wait.
 */
export function decideFull(
  full: number,
  mine: number,
  more: number,
  most: number,
  callers: number,
): number {
  if (mine + more < most) return DISPLACE;
  return mine > 0 && mine >= most && callers > 1 ? OVER_SHARE : full;
}

/**
 * Whether, of the bytes that all may hold together, who holds `most` gives `missing` of them to one that holds `mine`
 * with what it wants: as with `decideFull`, if it still holds at least as much as that one then.
 */
export function mustGiveWay(most: number, missing: number, mine: number): boolean {
  return most - missing >= mine;
}

/**
 * Whether a request that holds `mine` of the bytes may hold more than it has to: reading on is how it is seen that its caller
 * leaves. A quarter of the limit is for that, and of it each may have as much as is left (dynamic thresholds: Choudhury,
 * Hahne, IEEE/ACM Transactions on Networking, 1998): one alone half of it, each of many little, and nobody all. The rest is for
 * those who come: even if all who read on, with 64 KiB each or more, get one read of 128 KiB before they stop, that is no
 * more than three quarters.
 */
export function mayReadOn(mine: number, held: number, limit: number): boolean {
  return mine <= limit / 4 - held;
}

/** What each of several processes may have of a limit that they share: at least 1, and together no more than it where that is possible. */
export function decideShare(total: number, processes: number): number {
  return Math.max(1, Math.floor(total / processes));
}
