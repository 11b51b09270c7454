/** `a="x",b="y"`, escaped as the text format wants it. */
export function labelsOf(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(
      ([key, value]) =>
        `${key}="${value.replaceAll(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
    )
    .join(',');
}

/** One line of the text format. `labels`: as `labelsOf` gives them, or empty. */
export function sample(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}` : `${name}{${labels}} ${value}`;
}

/**
 * Several texts in Prometheus' format as one, as the format wants it: a family has its comments once and its
 * samples together. No two of the texts may report the same series: see `addLabels`.
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
      } else if (line !== '') family.samples.push(line);
    }
  }
  const lines: string[] = [];
  for (const { comments, samples } of families.values()) lines.push(...comments, ...samples);
  return `${lines.join('\n')}\n`;
}

/** The text with `labels` (`a="x",b="y"`, escaped) before those that each sample has. */
export function addLabels(text: string, labels: string): string {
  return text.replace(/^([^#\s{][^\s{]*)(\{?)/gm, (_, name: string, brace: string) =>
    brace === '' ? `${name}{${labels}}` : `${name}{${labels},`,
  );
}

interface Family {
  readonly comments: Set<string>;
  readonly samples: string[];
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const known = families.get(name);
  if (known) return known;
  const made = { comments: new Set<string>(), samples: [] };
  families.set(name, made);
  return made;
}
