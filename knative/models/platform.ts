import type { ModelInput } from '#domain/model.ts';
import type { Actor } from '#domain/records.ts';
import type { ModelResource } from '#domain/views.ts';

/** What Model objects need of Rouse. Methods throw its Faults. */
export interface ModelPlatform {
  read(namespace: string, model: string): Promise<ModelResource | undefined>;
  apply(actor: Actor, document: ModelInput): Promise<void>;
  /** It need not be there. */
  remove(actor: Actor, namespace: string, model: string): Promise<void>;
  /** Makes it the object's, or anybody's who has a key. */
  setOwned(actor: Actor, namespace: string, model: string, isOwned: boolean): Promise<void>;
  /** Keys of models that are objects'. */
  owned(): Promise<readonly string[]>;
  /** Called with the key of each model of which something is different now, until the signal. */
  onChange(listener: (model: string) => void, signal: AbortSignal): void;
  /** Called with the key of a model that nobody has used for as long as its own file says, until the signal. */
  onUnused(listener: (model: string) => void, signal: AbortSignal): void;
}
