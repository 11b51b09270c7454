import { closeSync, writeFileSync } from 'node:fs';
import {
  ENV_KIND,
  ENV_OUTPUT,
  ENV_RESULT_FD,
  ENV_SOURCE,
  MAX_INSPECTION_BYTES,
  type InspectionLine,
} from '#domain/launch.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { parseDescriptor, required } from './settings.ts';

/**
 * Looks into a model's file, in a process of its own: what strangers made may crash or hang it, and nothing
 * else. Writes one line to the runtime and ends.
 */

async function inspect(): Promise<InspectionLine> {
  const kind = required(process.env, ENV_KIND);
  const source = required(process.env, ENV_SOURCE);
  if (kind === 'onnx') {
    const { inspectOnnx } = await import('#functions/onnx/inspect.ts');
    return checkSize(await inspectOnnx(source, required(process.env, ENV_OUTPUT)));
  }
  if (kind !== 'function') {
    throw new Fault('invalid', `${ENV_KIND}: found ${kind}, expected onnx or function`);
  }
  // Only whether it is there: running a stranger's module is what the proof start does, as an instance.
  const { findModule } = await import('#functions/function/module.ts');
  const { FUNCTION_PLATFORM } = await import('#functions/function/platform.ts');
  findModule(source);
  const inspection = { platform: FUNCTION_PLATFORM, inputs: [], outputs: [], properties: {} };
  return { inspection };
}

function checkSize(line: InspectionLine): InspectionLine {
  const size = Buffer.byteLength(JSON.stringify(line));
  if (size <= MAX_INSPECTION_BYTES) return line;
  const limit = `expected at most ${MAX_INSPECTION_BYTES}`;
  throw new Fault('invalid', `the inputs, outputs and metadata take ${size} bytes, ${limit}`);
}

const line = await inspect().catch((error: unknown) => ({ error: messageOf(error) }));
const fd = parseDescriptor(process.env[ENV_RESULT_FD]) ?? 1;
writeFileSync(fd, `${JSON.stringify(line)}\n`);
closeSync(fd);
process.exitCode = 'error' in line ? 1 : 0;
