import { z } from 'zod';
import { Fault } from '#lib/fault.ts';

/** What a Prometheus answers to an instant query, as far as one number is to be read from it. */

const sample = z.tuple([z.number(), z.string()]);
const answer = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('scalar'), result: sample }),
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ value: sample.optional() })),
    }),
  ]),
});

/** The one value; what is no number is NaN. Throws Fault `bad_upstream` where there is none or more than one. */
export function parsePrometheusAnswer(body: unknown): number {
  const read = answer.safeParse(body);
  if (!read.success) throw new Fault('bad_upstream', 'has an answer that is no value');
  const { data } = read.data;
  const samples = data.resultType === 'scalar' ? [{ value: data.result }] : data.result;
  const [first] = samples;
  if (!first?.value) throw new Fault('bad_upstream', 'has no value');
  if (samples.length > 1) {
    throw new Fault('bad_upstream', `has ${samples.length} series; expected one: sum(…)`);
  }
  const [, text] = first.value;
  return Number(text.replace(/Inf$/, 'Infinity'));
}
