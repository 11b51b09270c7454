import { checkOutput } from '#batch/rows/assemble.ts';
import { locate } from '#batch/rows/locate.ts';
import { Fault } from '#lib/fault.ts';

/** Looks at an input or an output as a user whom modes of files stop, and prints what is said of it. */

const NOBODY = 65_534;
const [what, path = ''] = process.argv.slice(2);
// All that is needed is loaded: this user may not even see the code.
if (process.geteuid?.() === 0) process.setuid?.(NOBODY);
try {
  if (what === 'input') await locate(path);
  else await checkOutput({ path, format: 'csv', columns: [] });
  console.log('it is taken');
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
