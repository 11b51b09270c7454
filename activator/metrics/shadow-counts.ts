import { sample } from '#lib/prometheus.ts';
import { Histogram, REQUEST_SECONDS } from './histogram.ts';

/** What became of the copy of a request; `docs/metrics.md` says what each is. */
export const SHADOW_OUTCOMES = [
  'same',
  'status',
  'body',
  'uncompared',
  'failed',
  'asleep',
  'busy',
  'too_large',
  'unanswered',
] as const;
export type ShadowOutcome = (typeof SHADOW_OUTCOMES)[number];

/** Counters of a revision that is, or was, a shadow. */
export class ShadowCounts {
  private readonly outcomes = new Uint32Array(SHADOW_OUTCOMES.length);
  private readonly shadow = new Histogram(REQUEST_SECONDS);
  private readonly caller = new Histogram(REQUEST_SECONDS);

  count(outcome: ShadowOutcome): void {
    this.outcomes[SHADOW_OUTCOMES.indexOf(outcome)]! += 1;
  }

  /** Of one request: how long the shadow took, and how long the revision whose answer its caller got. */
  took(shadowMs: number, callerMs: number): void {
    this.shadow.add(shadowMs / 1000);
    this.caller.add(callerMs / 1000);
  }

  formatOutcomes(labels: string): string[] {
    return SHADOW_OUTCOMES.flatMap((outcome, i) => {
      const count = this.outcomes[i] ?? 0;
      const all = `${labels},outcome="${outcome}"`;
      return count === 0 ? [] : [sample('rouse_shadow_requests_total', all, count)];
    });
  }

  formatTimes(labels: string): string[] {
    const name = 'rouse_shadow_duration_seconds';
    return [
      ...this.shadow.format(name, `${labels},of="shadow"`),
      ...this.caller.format(name, `${labels},of="caller"`),
    ];
  }
}
