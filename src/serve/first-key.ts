import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { UseCases } from '#control/usecases/usecases.ts';
import type { Actor } from '#domain/records.ts';
import { Fault, messageOf } from '#lib/fault.ts';

const STARTER: Actor = { id: 'system:serve', role: 'admin' };
const NOTE = 'made at the first start';

/**
 * Leaves the secret of an admin key in `file`, for its owner's eyes only. There is nothing to do while keys and the
 * file are there: whoever removed the file but kept the keys gets another one. Throws Fault `internal` when it cannot
 * be written.
 */
export async function makeFirstKey(
  file: string,
  { isKeyed, useCases }: { isKeyed: boolean; useCases: Pick<UseCases, 'createKey'> },
): Promise<void> {
  if (isKeyed && existsSync(file)) return;
  const unfinished = `${file}.new`;
  // Before there is a key that nobody knows.
  await write(unfinished, '');
  const { secret } = await useCases.createKey(STARTER, 'admin', NOTE);
  await write(unfinished, `${secret}\n`);
  await rename(unfinished, file);
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600 });
  } catch (error) {
    throw new Fault('internal', `the first key cannot be written: ${messageOf(error)}`);
  }
}
