import type { Downstream } from './downstream.ts';
import type { HeldBody } from './held-body.ts';

/** Turns of the loop without data after which all that had arrived has been read. */
const QUIET_TURNS = 3;
/** A caller that still sends is still there: so much is read to find out, at most. */
const MAX_PROBED = 4 * 1024 * 1024;

/**
 * A paused socket with unread data does not notice that its peer has left. Before a slot is spent on it, what
 * has arrived is read; when nothing more comes for a few turns of the loop, the caller is there.
 *
 * @param isWanted asked at each turn; false: it is known otherwise by now, and `onPresent` is not called.
 */
export function probeCaller(
  downstream: Downstream,
  body: HeldBody,
  isWanted: () => boolean,
  onPresent: () => void,
): void {
  const most = body.bytes + MAX_PROBED;
  let quietTurns = 0;
  let seen = body.bytes;
  const look = (): void => {
    if (!isWanted()) return;
    quietTurns = body.bytes === seen ? quietTurns + 1 : 1;
    seen = body.bytes;
    if (quietTurns > QUIET_TURNS || seen > most) onPresent();
    else setImmediate(look);
  };
  downstream.resume();
  setImmediate(look);
}
