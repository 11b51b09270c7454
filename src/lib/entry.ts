import { extname } from 'node:path';

/**
 * The address of a program file that a worker or a child process is started with, relative to `base`
 * (`import.meta.url`), named without its ending: `.ts` in a checkout, `.js` in an installed package.
 */
export function entryUrl(path: string, base: string): URL {
  return new URL(`${path}${extname(new URL(base).pathname)}`, base);
}
