import { z } from 'zod';
import { namespaceName } from './names.ts';
import { size } from './units.ts';

/** What the models of a namespace may use together before they have to share it. */
export interface NamespaceBudget {
  readonly namespace: string;
  /** In bytes, or in instances. */
  readonly unit: 'memory' | 'instances';
  readonly most: number;
}

const EXPECTED =
  'a namespace and either memory or instances: { namespace: team-a, memory: 4Gi }, as a flag team-a=4Gi or team-b=12';

/** `{ namespace: team-a, memory: 4Gi }`, or `instances: 12`. */
export const namespaceBudget = z
  .strictObject(
    {
      namespace: namespaceName,
      memory: size.refine((bytes) => bytes >= 1, 'at least one byte').optional(),
      instances: z.int().min(1).max(1_000_000_000).optional(),
    },
    { error: ({ code }) => (code === 'invalid_type' ? EXPECTED : undefined) },
  )
  .refine(({ memory, instances }) => (memory === undefined) !== (instances === undefined), EXPECTED)
  .transform(({ namespace, memory, instances = 0 }): NamespaceBudget => {
    return memory === undefined
      ? { namespace, unit: 'instances', most: instances }
      : { namespace, unit: 'memory', most: memory };
  });

/** As a flag says it: `team-a=4Gi` is memory, `team-b=12` instances. Another text is given back as it is. */
export function readBudgetText(text: string): z.input<typeof namespaceBudget> | string {
  const [, namespace, most = ''] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (namespace === undefined) return text;
  if (/^[0-9]+$/.test(most)) return { namespace, instances: Number(most) };
  return /^[0-9.]+[A-Za-z]+$/.test(most) ? { namespace, memory: most } : text;
}
