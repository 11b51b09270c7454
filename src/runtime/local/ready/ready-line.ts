import { MAX_INSPECTION_BYTES, type ReadyLine, type ServerMetadata } from '#domain/launch.ts';
import { inspection } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { jsonOf } from '#lib/json.ts';

/** The rest of the line is a number. */
export const MAX_READY_LINE_CHARS = MAX_INSPECTION_BYTES + 1024;

const metadata = inspection.pick({ platform: true, inputs: true, outputs: true });

/** What a server wrote when it had loaded its model, which may be a stranger's: nothing in it is taken on trust. */
export function parseReadyLine(text: string): ReadyLine {
  const value = jsonOf(text);
  if (typeof value === 'object' && value !== null) {
    if ('error' in value) return { error: String(value.error) };
    if ('load' in value) {
      const load = Number(value.load);
      return 'metadata' in value ? { load, metadata: parseMetadata(value.metadata) } : { load };
    }
  }
  throw new Fault('start_failed', `its readiness pipe says ${text.slice(0, 80)}`);
}

function parseMetadata(value: unknown): ServerMetadata {
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > MAX_INSPECTION_BYTES) {
    const limit = `expected at most ${MAX_INSPECTION_BYTES}`;
    throw new Fault('start_failed', `its inputs and outputs take ${size} bytes, ${limit}`);
  }
  const parsed = metadata.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = ['metadata', ...(issue?.path ?? [])].join('.');
  throw new Fault('start_failed', `its readiness pipe says ${where}: ${issue?.message ?? ''}`);
}
