/** `no instance`, `1 instance`, `3 instances`: the number as every reason says it. */
export function formatCount(count: number): string {
  if (count === 0) return 'no instance';
  return count === 1 ? '1 instance' : `${count} instances`;
}
