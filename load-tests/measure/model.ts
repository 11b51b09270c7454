import type { Rouse } from './rouse.ts';
import { until } from './until.ts';

const CHANGING = { everyMs: 50, withinMs: 60_000 };

/** The spec of a model file, as people write it. */
export type Spec = Readonly<Record<string, unknown>>;

/** Registers a model through the API, or changes it; `spec` as in a model file. */
export async function putModel({ control }: Rouse, name: string, spec: Spec): Promise<void> {
  const response = await fetch(addressOf(control, name), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Model',
      metadata: { name },
      spec,
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${name} was not registered: ${response.status} ${text}`);
}

export async function deleteModel({ control }: Rouse, name: string): Promise<void> {
  const response = await fetch(addressOf(control, name), { method: 'DELETE' });
  const text = await response.text();
  if (!response.ok) throw new Error(`${name} was not deleted: ${response.status} ${text}`);
}

interface Model {
  readonly status: {
    readonly state: string;
    readonly revisions: readonly { readonly name: string; readonly state: string }[];
    readonly instances: readonly { readonly id: string; readonly state: string }[];
  };
}

async function getModel({ control }: Rouse, name: string): Promise<Model['status']> {
  const response = await fetch(addressOf(control, name));
  const model: Model = JSON.parse(await response.text());
  return model.status;
}

/** Until it looks as it should. */
export async function untilModel(
  rouse: Rouse,
  name: string,
  fits: (status: Model['status']) => boolean,
): Promise<void> {
  await until(CHANGING, async () => {
    const status = await getModel(rouse, name);
    return fits(status) ? undefined : `${name} stays ${JSON.stringify(status)}`;
  });
}

/** The host name under which the data plane knows it. */
export function hostOf(name: string): string {
  return `${name}.default.localhost`;
}

function addressOf(control: string, name: string): string {
  return `${control}/api/v1/namespaces/default/models/${name}`;
}
