import { beforeAll, describe } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

export interface Stage {
  /** Runs a scenario of the program, by name, and gives what it saw. */
  readonly play: (scenario: string) => Promise<unknown>;
  /** It is up in each test. */
  readonly cluster: () => DrivenCluster;
}

/**
 * A group of tests on the cluster that tests share, with what `additions` name. Each test is a scenario of `program`, a
 * file beside this one that is run in the box.
 */
export function describeScenarios(
  title: string,
  { program, additions = [] }: { program: string; additions?: readonly string[] },
  define: (stage: Stage) => void,
): void {
  describe.skipIf(MISSING.length > 0)(`${title} ${NEEDS}`, () => {
    let cluster: DrivenCluster;
    beforeAll(async () => {
      cluster = await shareCluster(...additions);
    });
    define({
      play: async (scenario) => await runInside(cluster, program, scenario),
      cluster: () => cluster,
    });
  });
}
