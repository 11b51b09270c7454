/**
 * Several texts in Prometheus' format as one, as the format wants it: a family has its comments once and its
 * samples together, and a series that several data planes report is their sum.
 */
export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    let family = familyOf(families, '');
    for (const line of text.split('\n')) {
      const name = /^# (?:TYPE|HELP) (\S+)/.exec(line)?.[1];
      if (name !== undefined) {
        family = familyOf(families, name);
        family.comments.add(line);
      } else if (line !== '') addSample(family, line);
    }
  }
  const lines: string[] = [];
  for (const { comments, samples } of families.values()) {
    lines.push(...comments);
    for (const [series, value] of samples) lines.push(`${series} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

interface Family {
  readonly comments: Set<string>;
  readonly samples: Map<string, number>;
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const known = families.get(name);
  if (known) return known;
  const made = { comments: new Set<string>(), samples: new Map<string, number>() };
  families.set(name, made);
  return made;
}

function addSample({ samples }: Family, line: string): void {
  const space = line.lastIndexOf(' ');
  const series = line.slice(0, space);
  samples.set(series, (samples.get(series) ?? 0) + Number(line.slice(space + 1)));
}
