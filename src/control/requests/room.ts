/**
 * Room in memory for what comes piece by piece to several at once, each of whom needs all of it.
 *
 * 1. Together they have at most `most` bytes, but for a piece of each, and for one at a time that goes beyond.
 * 2. So one can always go on; who has waited longest is the next.
 */
export interface Room {
  enter(): Place;
}

export interface Place {
  /** They are here. Undefined: more may come now; otherwise when it resolves. */
  add(bytes: number): Promise<void> | undefined;
  /** All that was added is gone, and nothing is waited for. */
  leave(): void;
}

export function createRoom(most: number): Room {
  const waiting = new Map<Place, () => void>();
  let held = 0;
  /** Goes beyond. */
  let favoured: Place | undefined;

  function letIn(): void {
    for (const [place, resume] of waiting) {
      if (held > most) {
        if (favoured) return;
        favoured = place;
      }
      waiting.delete(place);
      resume();
    }
  }

  return {
    enter() {
      let own = 0;
      const place: Place = {
        add(bytes) {
          own += bytes;
          held += bytes;
          if (held <= most || favoured === place) return undefined;
          const { promise, resolve } = Promise.withResolvers<void>();
          waiting.set(place, resolve);
          letIn();
          return waiting.has(place) ? promise : undefined;
        },
        leave() {
          held -= own;
          own = 0;
          waiting.delete(place);
          if (favoured === place) favoured = undefined;
          letIn();
        },
      };
      return place;
    },
  };
}
