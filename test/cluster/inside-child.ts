import { readFile } from 'node:fs/promises';
import { messageOf } from '#lib/fault.ts';
import { FILES } from './folders.ts';
import { bringUp, showStatus } from './inside.ts';
import type { Plan } from './plan.ts';

/** Started in the box, with `up` or `status`. What fails is told on standard error. */

// Whoever asked is gone.
process.stdout.on('error', () => process.exit(1));
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

try {
  const plan: Plan = JSON.parse(await readFile(`${FILES}/plan.json`, 'utf8'));
  if (process.argv[2] === 'up') await bringUp(plan, say);
  else if (!(await showStatus(plan, say))) process.exitCode = 1;
} catch (error) {
  // What else was under way is of no use any more.
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1));
}
