import type { Job } from './objects.ts';

export type JobEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly why: string };

/** How a Job has ended, as it says itself; undefined: it has not. */
export function endOf({ status }: Job): JobEnd | undefined {
  for (const { type, status: holds, reason = '', message = '' } of status?.conditions ?? []) {
    if (holds !== 'True') continue;
    if (type === 'Complete') return { kind: 'complete' };
    if (type === 'Failed')
      return { kind: 'failed', why: message || reason || 'no reason is given' };
  }
  return undefined;
}
