import { describeModel, describeServer, isReady } from '../../exchange/metadata.ts';
import { noRevision, revisionShown } from '../../exchange/shown-revision.ts';
import type { Plane } from '../../plane.ts';
import { type Refusal, refusal } from '../../refusal.ts';
import type { ModelRoute } from '../../routes.ts';
import { makeFlagResponse, makeModelMetadata, makeServerMetadata } from './messages.ts';

/** What the routing state knows, as messages, without a model being woken. */

/** Undefined: the method is about a model, which its message names. */
export function answerServer(
  method: string,
  { routes, version }: Pick<Plane, 'routes' | 'version'>,
): Uint8Array | Refusal | undefined {
  if (method === 'ServerLive') return makeFlagResponse(true);
  if (method === 'ServerReady') return makeFlagResponse(routes.isKnown);
  if (method === 'ServerMetadata') return makeServerMetadata(describeServer(version));
  if (/^Model(Ready|Metadata|Infer|StreamInfer)$/.test(method)) return undefined;
  return refusal('not_implemented', `There is no method ${method.slice(0, 64)} here.`);
}

/** `method`: ModelReady or ModelMetadata; `revision`: '' is none. */
export function answerModel(
  method: string,
  model: ModelRoute,
  revision: string,
  tag: string | undefined,
  now: number,
): Uint8Array | Refusal {
  const shown = revisionShown(model, revision, tag);
  if (!shown) return noRevision(model, revision);
  if (method === 'ModelReady') return makeFlagResponse(isReady(shown, now));
  return makeModelMetadata(describeModel(model, shown, now));
}
