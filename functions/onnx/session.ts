import type { InferenceSession, OnnxValue } from 'onnxruntime-node';
import type { TensorInfo } from '#domain/records.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { isTexts } from '#functions/protocol/datatypes.ts';
import type { Tensor } from '#functions/protocol/tensor.ts';
import { datatypeOf, runtimeTypeOf } from './types.ts';

/** The only file that touches the ONNX runtime. */

// Since 1.29 it tells its maker of each model that it loads, and keeps a database of that, unless this is set before it
// is loaded: https://github.com/microsoft/onnxruntime/pull/27379
process.env['ORT_DISABLE_TELEMETRY'] = '1';
const { default: ort } = await import('onnxruntime-node');

/**
 * One thread for each session. Instances are many and the machine small: threads of their own per model would
 * fight for the cores, spin while idle, and cost memory. The platform scales by instances.
 */
const OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  // Errors only: a converter's harmless warnings would fill the log at every start.
  logSeverityLevel: 3,
};

/** The runtime's own mistakes are long; the first part says what was wrong. */
const MAX_MESSAGE = 500;

export interface Session {
  readonly inputs: TensorInfo[];
  readonly outputs: TensorInfo[];
  run(inputs: readonly Tensor[], outputs: readonly string[]): Promise<Tensor[]>;
}

export const runtimeVersion = ort.env.versions.common;

/** `model`: its path, or its bytes. */
export async function createSession(model: string | Uint8Array): Promise<Session> {
  const session = await create(model);
  return {
    inputs: session.inputMetadata.map(describe),
    outputs: session.outputMetadata.map(describe),
    async run(inputs, outputs) {
      const feeds = Object.fromEntries(inputs.map((tensor) => [tensor.name, feedOf(tensor)]));
      const results = await session.run(feeds, outputs).catch(refuse);
      return outputs.map((name) => tensorOf(name, results[name]));
    },
  };
}

async function create(model: string | Uint8Array): Promise<InferenceSession> {
  try {
    if (typeof model !== 'string') return await ort.InferenceSession.create(model, OPTIONS);
    return await ort.InferenceSession.create(model, OPTIONS);
  } catch (error) {
    const whole = messageOf(error);
    const message = typeof model === 'string' ? whole.replaceAll(model, 'the file') : whole;
    const reason = message.slice(0, MAX_MESSAGE);
    throw new Fault('invalid', `onnxruntime cannot load the model: ${reason}`);
  }
}

function describe(value: InferenceSession.ValueMetadata): TensorInfo {
  const datatype = value.isTensor ? datatypeOf(value.type) : undefined;
  if (!value.isTensor || !datatype) throw new Fault('invalid', `"${value.name}" is no tensor`);
  const shape = value.shape.map((size) => (typeof size === 'number' ? size : -1));
  return { name: value.name, datatype, shape };
}

/** What does not fit into the model's graph, only the runtime can tell. */
function refuse(error: unknown): never {
  const message = messageOf(error);
  if (/allocate/i.test(message)) throw error;
  throw new Fault('bad_request', `onnxruntime: ${message.slice(0, MAX_MESSAGE)}`);
}

function feedOf({ name, datatype, shape, data }: Tensor): OnnxValue {
  if (isTexts(data)) checkTexts(name, data);
  const type = runtimeTypeOf(datatype);
  if (type !== 'float16') return new ort.Tensor(type, data, shape);
  // Called by its name, the constructor makes a Float16Array of it, whose bytes the native side cannot read.
  return Object.assign(new ort.Tensor('uint16', data, shape), { type });
}

/** The native side takes text as far as the first NUL: better refused than cut. */
function checkTexts(name: string, texts: readonly string[]): void {
  const index = texts.findIndex((text) => text.includes('\0'));
  if (index === -1) return;
  throw new Fault('bad_request', `input "${name}"[${index}]: found a NUL, expected text without`);
}

function tensorOf(name: string, value: OnnxValue | undefined): Tensor {
  const datatype = value && datatypeOf(value.type);
  if (!value || !datatype) throw new Fault('internal', `output "${name}" came as no tensor`);
  return { name, datatype, shape: value.dims, data: value.data };
}
