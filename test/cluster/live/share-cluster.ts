import { inject } from 'vitest';
import { controlCluster, type DrivenCluster } from './cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder for the state of the cluster that tests share. */
    readonly sharedState: string;
  }
}

/**
 * The cluster that several tests share, one after the other. It is up, with what `additions` names, and without the pods
 * of who had it before. Who takes it leaves it as it was: Knative whole, and nothing of its own in it.
 */
export async function shareCluster(...additions: string[]): Promise<DrivenCluster> {
  const cluster = controlCluster(inject('sharedState'));
  const { code } = await cluster.run(['status']);
  if (code !== 0) await cluster.must('up', ...additions);
  else if (additions.length > 0) await cluster.must('add', ...additions);
  // By themselves, those that were told to end would serve on for half a minute.
  const pods = ['pods', '--all', '--namespace', 'default', '--force', '--grace-period=0'];
  await cluster.must('exec', 'kubectl', 'delete', ...pods);
  return cluster;
}
