import { partsOfRevisionKey } from '#domain/names.ts';
import type { Texts } from './objects.ts';

/** What Rouse made says so, and of which model and revision it is. Nothing else is ever changed or deleted. */

/** Of server-side apply: what this manager has set belongs to Rouse, all else to others. */
export const FIELD_MANAGER = 'rouse';

const MANAGED_BY = 'app.kubernetes.io/managed-by';
const MODEL = 'rouse.dev/model';
const REVISION = 'rouse.dev/revision';

export function makeModelLabels(model: string): Texts {
  return { [MANAGED_BY]: FIELD_MANAGER, [MODEL]: model };
}

/** Knative hands them on to the Revision, its PodAutoscaler and its pods. */
export function makeRevisionLabels(key: string): Texts {
  const { model, revision } = partsOfRevisionKey(key);
  return { ...makeModelLabels(model), [REVISION]: revision };
}
