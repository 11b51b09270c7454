import { z } from 'zod';
import { Fault } from '#lib/fault.ts';

/** What the hook of a rollout answers, as far as it is read. */
const answer = z.object({ value: z.number() });

/** Throws Fault `bad_upstream` where there is no number. */
export function parseHookAnswer(body: unknown): number {
  const read = answer.safeParse(body);
  if (!read.success) throw new Fault('bad_upstream', 'has an answer without a number "value"');
  return read.data.value;
}
