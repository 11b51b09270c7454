import type { RolloutSpec } from '#domain/rollout.ts';
import type { InstanceSize, Sizes } from '#policies/rollout/cost.ts';
import type { RolloutSeen } from '#policies/rollout/decide.ts';
import type { Sources } from './sources.ts';
import { readMeasures } from './strata.ts';

/** What others know of both revisions; what became of their requests is the book's. */
export async function gatherSeen(
  { measured, queries, sizeOf }: Pick<Sources, 'measured' | 'queries' | 'sizeOf'>,
  spec: RolloutSpec,
  about: { model: string; stable: string; canary: string; since: number },
): Promise<Pick<RolloutSeen, 'measures' | 'sizes' | 'queries'>> {
  const measures = await readMeasures(measured, spec, about);
  return {
    measures,
    sizes: sizesOf(sizeOf(about.stable), sizeOf(about.canary)),
    queries: queries.flatMap((each) => each.read(about.model, spec, about)),
  };
}

function sizesOf(
  stable: InstanceSize | undefined,
  canary: InstanceSize | undefined,
): Sizes | undefined {
  return stable && canary && { stable, canary };
}
