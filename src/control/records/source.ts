import type { RevisionSpec, RevisionSpecInput } from '#domain/model.ts';
import type { ProgramSpec } from '#domain/program-job.ts';
import type { Problem } from '#lib/fault.ts';

/** `url` runs elsewhere and `image` is fetched by whoever runs it: their source is an address, not content. */
function isAddress({ runtime }: Pick<RevisionSpec, 'runtime'>): boolean {
  return runtime === 'url' || runtime === 'image';
}

/** The source is a URI whose content is fetched while the revision is Preparing. */
export function isFetched(spec: Pick<RevisionSpecInput, 'runtime' | 'source'>): boolean {
  return !isAddress(spec) && /^https?:\/\//i.test(spec.source ?? '');
}

/** The digest of a source that is stored content. */
export function digestOf(spec: Pick<RevisionSpec, 'runtime' | 'source'>): string | undefined {
  return isAddress(spec) ? undefined : digestIn(spec.source);
}

/** Of a text such as `sha256:<digest>`. */
export function digestIn(text: string | undefined): string | undefined {
  return /^sha256:([0-9a-f]{64})$/.exec(text ?? '')?.[1];
}

/** What was pushed for a program: by which key it is named, and its digest. */
export function pushedFor(
  program: Pick<ProgramSpec, 'source' | 'data'>,
): { readonly key: string; readonly digest: string }[] {
  return (['source', 'data'] as const).flatMap((key) => {
    const digest = digestIn(program[key]);
    return digest === undefined ? [] : [{ key, digest }];
  });
}

/** What is wrong with a source, apart from whether its content is stored. */
export function findSourceProblem(
  spec: Pick<RevisionSpec, 'runtime' | 'source'>,
  key: string,
): Problem | undefined {
  const { source } = spec;
  if (source === undefined || digestOf(spec) !== undefined) return undefined;
  const problem = (expected: string): Problem => ({ key, value: JSON.stringify(source), expected });
  if (spec.runtime === 'image') return undefined;
  if (!/^https?:\/\//i.test(source)) {
    return problem(
      'a sha256: digest or an http(s):// address here; the command line uploads a path for you',
    );
  }
  const url = URL.parse(source);
  if (!url) return problem('an address that can be parsed');
  if (url.username !== '' || url.password !== '') return problem('an address without a password');
  return undefined;
}
