import type { RolloutSpec } from '#domain/rollout.ts';
import type { InstanceSize, Sizes } from '#policies/rollout/cost.ts';
import type { RolloutSeen } from '#policies/rollout/decide.ts';
import type { Queries } from './queries.ts';
import { type ReadMeasure, readMeasures } from './strata.ts';

export interface Sources {
  readonly measured: ReadMeasure;
  readonly queries: readonly Queries[];
  /** Of an instance; undefined: there is no such revision. */
  readonly sizeOf: (revision: string) => InstanceSize | undefined;
}

/** What others know of both revisions; what became of their requests is the book's. */
export async function gatherSeen(
  { measured, queries, sizeOf }: Sources,
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
