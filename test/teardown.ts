import { afterEach } from 'vitest';

/**
 * For a file whose tests start things. What is given to the result is called after the test, whether it passed or
 * not, newest first. Each is called, whatever came of the one before; then what went wrong fails the test.
 */
export function useTeardown(): (end: () => unknown) => void {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    const errors: unknown[] = [];
    for (const end of ends.splice(0).toReversed()) {
      try {
        await end();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `not ended: ${errors.join(', ')}`);
  });
  return (end) => void ends.push(end);
}
