/** The wait after so many failures in a row: `first`, doubled with each further one, at most `longest`; 0 after none. */
export function backoffMs(failures: number, first: number, longest: number): number {
  return failures <= 0 ? 0 : Math.min(longest, first * 2 ** (failures - 1));
}
