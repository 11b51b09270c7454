import { parseArgs, type ParseArgsConfig } from 'node:util';
import { messageOf } from '#lib/fault.ts';

/** A wrong word on the command line. */
export function usage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** The options of a benchmark. What is wrong with them is said in one line, and nothing is measured. */
export function readOptions<T extends NonNullable<ParseArgsConfig['options']>>(
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usage(messageOf(error));
  }
}

/** `name`: as it is written on the command line. */
export function countOf(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  return usage(`--${name}: found ${text}, expected a whole number from 1 on`);
}
