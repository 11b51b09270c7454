import type { LogLine } from '#runtime/runtime.ts';
import type { Kube } from '../api/kube.ts';
import type { Pod } from '../api/objects.ts';
import { MODEL_CONTAINER } from '../manifests/container.ts';

/** As Kubernetes gives it when it is asked for the times: one before each line, in nanoseconds. */
const STAMPED = /^(\S+)Z (.*)$/;

/** The last lines of these pods' programs, oldest first. `container`: which of theirs that is. */
export async function readLogs(
  kube: Pick<Kube, 'logs'>,
  pods: readonly { readonly pod: Pod; readonly instance: string }[],
  limit: number,
  container: string = MODEL_CONTAINER,
): Promise<LogLine[]> {
  const pages = await Promise.all(
    pods.map(async ({ pod, instance }) => {
      const { namespace, name } = pod.metadata;
      return parseLog(await kube.logs({ namespace, name }, container, limit), instance);
    }),
  );
  return pages
    .flat()
    .toSorted((a, b) => a.at - b.at)
    .slice(-limit);
}

/** Kubernetes keeps the two streams of a program as one. */
function parseLog(text: string, instance: string): LogLine[] {
  return text.split('\n').flatMap((line) => {
    const [, time = '', said] = STAMPED.exec(line) ?? [];
    const at = Date.parse(`${time.slice(0, 23)}Z`);
    return said === undefined || Number.isNaN(at)
      ? []
      : [{ at, instance, stream: 'stdout' as const, text: said }];
  });
}
