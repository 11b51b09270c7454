/** `v1 90 % · v2 10 %`; rows without requests are there for their tag. */
export function formatTraffic(
  rows: readonly { revision: string; percent: number; tag?: string | undefined }[],
): string {
  return rows
    .map(({ revision, percent, tag }) => `${revision} ${percent} %${tag ? ` (${tag})` : ''}`)
    .join(' · ');
}
