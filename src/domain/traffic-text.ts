import type { HeaderMatch } from './model.ts';

const MOST_VALUES = 4;

/**
 * `v1 90 % · v2 10 % · v2 if X-Group is beta · v3 shadow of 5 %`; rows without requests are there for their tag.
 */
export function formatTraffic(
  rows: readonly {
    revision: string;
    percent: number;
    tag?: string | undefined;
    match?: HeaderMatch | undefined;
  }[],
  shadow?: { revision: string; percent: number },
): string {
  const served = rows.map(({ revision, percent, tag, match }) => {
    const share = match ? formatMatch(match) : `${percent} %`;
    return `${revision} ${share}${tag ? ` (${tag})` : ''}`;
  });
  const copied = shadow ? [`${shadow.revision} shadow of ${shadow.percent} %`] : [];
  return [...served, ...copied].join(' · ');
}

/** `if X-Group is beta or staff`. */
export function formatMatch({ header, values }: HeaderMatch): string {
  const shown = values.slice(0, MOST_VALUES);
  const all = values.length > shown.length ? [...shown, '…'] : shown;
  return `if ${header} is ${all.join(' or ')}`;
}
