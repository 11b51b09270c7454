import { createRoutes } from '#functions/protocol/routes.ts';
import type { Rehearsal } from '#functions/settings.ts';
import { loadOnnx, makeServable } from './load.ts';
import { createSession } from './session.ts';

/** An ONNX file of one node, Identity, from `x` to `y`: a list of floats. */
const IDENTITY =
  'CAg6OQoQCgF4EgF5IghJZGVudGl0eRIBZ1oQCgF4EgsKCQgBEgUKAxIBbmIQCgF5EgsKCQgBEgUKAxIBbkICEA0=';

/** The first session of a process takes several times as long as any after it. */
export async function rehearseOnnx(): Promise<Rehearsal> {
  const session = await createSession(Buffer.from(IDENTITY, 'base64'));
  const settings = { revision: undefined, tellsFailures: false };
  const listener = createRoutes(makeServable(session, undefined), settings);
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }];
  return {
    load: loadOnnx,
    listener,
    requests: [{ path: '/v2/models/m/infer', body: JSON.stringify({ inputs }) }],
  };
}
