import { closeSync, writeFileSync } from 'node:fs';
import {
  ENV_KIND,
  ENV_OUTPUT,
  ENV_RESULT_FD,
  ENV_SOURCE,
  type InspectionLine,
} from '#domain/launch.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { parseDescriptor, required } from './settings.ts';

/**
 * Looks into a model's file, in a process of its own: what strangers made may crash or hang it, and nothing
 * else. Writes one line to the runtime and ends.
 */

/** Each instance gets it in its environment, where Linux takes 128 KiB for a variable. */
const MAX_INSPECTION_LENGTH = 96 * 1024;

async function inspect(): Promise<InspectionLine> {
  const kind = required(process.env, ENV_KIND);
  const source = required(process.env, ENV_SOURCE);
  if (kind === 'onnx') {
    const { inspectOnnx } = await import('#functions/onnx/inspect.ts');
    return checkLength(await inspectOnnx(source, required(process.env, ENV_OUTPUT)));
  }
  if (kind !== 'function') {
    throw new Fault('invalid', `${ENV_KIND}: found ${kind}, expected onnx or function`);
  }
  // Only whether it is there: running a stranger's module is what the proof start does, as an instance.
  const { findModule } = await import('#functions/function/module.ts');
  const { FUNCTION_PLATFORM } = await import('#functions/function/platform.ts');
  await findModule(source);
  const inspection = { platform: FUNCTION_PLATFORM, inputs: [], outputs: [], properties: {} };
  return { inspection };
}

function checkLength(line: InspectionLine): InspectionLine {
  const { length } = JSON.stringify(line);
  if (length <= MAX_INSPECTION_LENGTH) return line;
  const limit = `expected at most ${MAX_INSPECTION_LENGTH}`;
  throw new Fault(
    'invalid',
    `the inputs, outputs and metadata take ${length} characters, ${limit}`,
  );
}

const line = await inspect().catch((error: unknown) => ({ error: messageOf(error) }));
const fd = parseDescriptor(process.env[ENV_RESULT_FD]) ?? 1;
writeFileSync(fd, `${JSON.stringify(line)}\n`);
closeSync(fd);
process.exitCode = 'error' in line ? 1 : 0;
