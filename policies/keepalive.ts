import type { KeepAliveSpec } from '#domain/model.ts';
import { formatDuration } from '#domain/units.ts';

/** What `adaptive` means until the policy engine is there. */
const ADAPTIVE_IDLE_MS = 60_000;

export interface KeepAliveSeen {
  /** When the last request ended or came, ms since the epoch; undefined: none since it was started. */
  readonly lastRequestAt: number | undefined;
  /** Starting or ready: keeping is not starting. */
  readonly instances: number;
}

/** Whether an instance that nobody uses now is worth its memory. */
export function decideKeepAlive(
  spec: KeepAliveSpec,
  seen: KeepAliveSeen,
  now: number,
): { decision: { readonly keep: boolean }; why: string } {
  const idle = spec.policy === 'fixed' ? spec.idle : ADAPTIVE_IDLE_MS;
  const policy = `keep-alive is ${describe(spec.policy, idle)}`;
  if (seen.lastRequestAt === undefined) {
    const why = `no request has come that would be worth keeping it for, ${policy}`;
    return { decision: { keep: false }, why };
  }
  if (seen.instances === 0) {
    const why = `nobody waits, and nothing runs that could be kept, ${policy}`;
    return { decision: { keep: false }, why };
  }
  const quiet = Math.max(0, now - seen.lastRequestAt);
  const why = `idle for ${formatDuration(quiet)}, ${policy}`;
  return { decision: { keep: quiet < idle }, why };
}

function describe(policy: KeepAliveSpec['policy'], idle: number): string {
  const fixed = `fixed ${formatDuration(idle)}`;
  if (policy === 'fixed') return fixed;
  return `adaptive, which stands for ${fixed} until the policy engine is there`;
}
