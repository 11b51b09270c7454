import { isDeepStrictEqual } from 'node:util';
import type { ModelInput } from '#domain/model.ts';
import type { ModelResource } from '#domain/views.ts';
import { Fault, type FaultCode, messageOf } from '#lib/fault.ts';
import { actorOf, type ModelObject, readDocument, TAKE_OVER, takesOver } from './object.ts';
import type { ModelPlatform } from './platform.ts';
import type { Refusal } from './status.ts';

/** The model is another's: of two that keep it, neither would ever be done. */
export const KEPT_BY_API = 'KeptByApi';

/** Others are `Refused`. */
const REASONS: Partial<Record<FaultCode, string>> = {
  invalid: 'Invalid',
  too_large: 'Invalid',
  conflict: 'Conflict',
  storage_full: 'StorageFull',
  unavailable: 'Unavailable',
};

/** Why not, when the model is somebody else's. It may be taken over where the object says so. */
export async function claim(
  object: ModelObject,
  model: ModelResource | undefined,
  platform: Pick<ModelPlatform, 'setOwned'>,
): Promise<Refusal | undefined> {
  if (!model || model.status.owner === 'kubernetes') return undefined;
  const { name, namespace = '' } = object.metadata;
  if (takesOver(object)) {
    await platform.setOwned(actorOf(object), namespace, name, true);
    return undefined;
  }
  return {
    reason: KEPT_BY_API,
    message:
      `model ${namespace}/${name} was applied by way of Rouse's API, which keeps it: delete it there, ` +
      `or let this object have it: kubectl annotate models.rouse.dev ${name} --namespace ${namespace} ${TAKE_OVER}=true`,
  };
}

/** Makes the model what its object says, if it is not. */
export async function settle(
  object: ModelObject,
  model: ModelResource | undefined,
  platform: Pick<ModelPlatform, 'apply'>,
): Promise<void> {
  if (!isSettled(object, model)) await platform.apply(actorOf(object), readDocument(object));
}

/** The model is what its object says. */
export function isSettled(object: ModelObject, model: ModelResource | undefined): boolean {
  return model !== undefined && isDeepStrictEqual(documentOf(model), readDocument(object));
}

export function refusalOf(error: unknown): Refusal {
  const reason = error instanceof Fault ? REASONS[error.code] : undefined;
  return { reason: reason ?? 'Refused', message: messageOf(error) };
}

function documentOf({ apiVersion, kind, metadata, spec }: ModelResource): ModelInput {
  return { apiVersion, kind, metadata, spec };
}
