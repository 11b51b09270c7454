import type { ContainerStatus } from '../api/objects.ts';
import { firstLine } from './ending.ts';

/** In these a container waits because something is wrong; each message says what. */
const BROKEN: Readonly<Record<string, string>> = {
  ErrImagePull: 'its image cannot be pulled',
  ImagePullBackOff: 'its image cannot be pulled',
  ErrImageNeverPull: 'its image is not on the node, and may not be pulled',
  InvalidImageName: 'its image has no valid name',
  ImageInspectError: 'its image cannot be read',
  RegistryUnavailable: 'its registry does not answer',
  CreateContainerConfigError: 'its container cannot be set up',
  CreateContainerError: 'its container cannot be made',
  RunContainerError: 'its program cannot be started',
};
const PULL_BACKOFF = /^Back-off pulling image "[^"]*"(: ErrImagePull)?(: )?/;

/** Why a container cannot be started, although Kubernetes tries again and again. Undefined: it can, as far as is known. */
export function describeBroken(
  container: ContainerStatus | undefined,
  image: string,
): string | undefined {
  const { reason = '', message } = container?.state?.waiting ?? {};
  const what = BROKEN[reason];
  if (what === undefined) return undefined;
  const why = firstLine(message ?? '').replace(PULL_BACKOFF, '');
  return `${what}: ${why === '' ? image : why}`;
}
