import { checkInputs, checkOutputs } from '#functions/protocol/check.ts';
import { createRoutes } from '#functions/protocol/routes.ts';
import type { Servable } from '#functions/protocol/servable.ts';
import { columnOfTensor, columnsOf, rowsOf, tensorOfColumn } from '#functions/protocol/v1.ts';
import type { Loaded, Settings } from '#functions/settings.ts';
import { ONNX_PLATFORM } from './types.ts';
import { type Session, createSession, runtimeVersion } from './session.ts';

export async function loadOnnx(settings: Settings): Promise<Loaded> {
  const begun = performance.now();
  const session = await createSession(settings.source);
  const loadMs = performance.now() - begun;
  const servable = makeServable(session, settings.inspection);
  const { platform, inputs, outputs } = servable.metadata;
  const listener = createRoutes(servable, settings);
  return { listener, loadMs, metadata: { platform, inputs, outputs } };
}

export function makeServable(session: Session, inspection: Settings['inspection']): Servable {
  const { inputs, outputs } = session;
  const found = { platform: ONNX_PLATFORM, inputs, outputs, properties: {} };
  const metadata = inspection ?? found;
  const infer: Servable['infer'] = async (inputs, wanted) => {
    checkInputs(inputs, metadata.inputs);
    return session.run(inputs, checkOutputs(wanted, metadata.outputs));
  };
  return {
    engine: { name: 'onnxruntime', version: runtimeVersion },
    metadata,
    infer,
    async predict(instances) {
      const names = metadata.inputs.map((info) => info.name);
      const columns = columnsOf(instances, names);
      const inputs = metadata.inputs.map((info) => tensorOfColumn(info, columns[info.name] ?? []));
      const outputs = await infer(inputs, undefined);
      const rows = instances.length;
      const results = outputs.map((tensor) => [tensor.name, columnOfTensor(tensor, rows)] as const);
      return rowsOf(Object.fromEntries(results), rows);
    },
  };
}
