/**
 * Rules of the model file over more than one key. They run although some of the keys are wrong by
 * themselves, so that all problems of a file are told at once: what they are given may be anything.
 */

/** Where a rule is not kept, from where it applies, and what would be right. */
type Say = (path: (string | number)[], expected: string) => void;
type Loose<K extends string> = { readonly [P in K]?: unknown };
interface Context {
  addIssue(issue: { code: 'custom'; path: (string | number)[]; message: string }): void;
}

/** For `superRefine(...rule(check))`. */
export function rule<T>(check: (value: T, say: Say) => void) {
  return [
    (value: T, context: Context): void =>
      check(value, (path, message) => context.addIssue({ code: 'custom', path, message })),
    { when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null },
  ] as const;
}

const WITH_SOURCE = new Set<unknown>(['onnx', 'function', 'python', 'image', 'url']);

/** Runtimes whose server is ours, and speaks HTTP/1. */
const OURS = new Set<unknown>(['onnx', 'function', 'python']);

export function checkProgram(
  spec: Loose<'runtime' | 'source' | 'args' | 'readiness'>,
  say: Say,
): void {
  const { runtime, source, args, readiness } = spec;
  if (OURS.has(runtime) && keysOf(readiness)['grpc'] === true) {
    say(['readiness', 'grpc'], `no grpc: a model of runtime ${String(runtime)} is asked by HTTP`);
  }
  if (WITH_SOURCE.has(runtime) && source === undefined) {
    say(['source'], `a source: runtime ${String(runtime)} needs one`);
  }
  if (runtime === 'command' && Array.isArray(args) && args.length === 0) {
    say(['args'], 'the program and its arguments, such as ["./server", "--port", "${PORT}"]');
  }
  if (runtime === 'url' && typeof source === 'string' && !/^https?:\/\/[^/]/.test(source)) {
    say(['source'], 'an http:// or https:// address');
  }
}

export function checkReadiness(readiness: Loose<'path' | 'grpc'>, say: Say): void {
  if (readiness.path !== undefined && readiness.grpc === true) {
    say(['grpc'], 'either a path to ask by HTTP, or gRPC, not both');
  }
}

export function checkTarget(
  { revision, latest, percent, match }: Loose<'revision' | 'latest' | 'percent' | 'match'>,
  say: Say,
): void {
  if ((revision === undefined) === (latest === undefined)) {
    say(['revision'], 'either a revision name or `latest: true`');
  }
  if (match !== undefined && typeof percent === 'number' && percent > 0) {
    say(['percent'], 'no percent: all that match go there; a share of the others is another row');
  }
}

export function checkSplit(targets: unknown, say: Say): void {
  if (!Array.isArray(targets)) return;
  const rows = targets.map(keysOf);
  const percents = rows
    .map(({ percent = 0 }) => percent)
    .filter((each) => typeof each === 'number');
  const sum = percents.reduce((total, each) => total + each, 0);
  if (percents.length === rows.length && sum !== 100) {
    say([], `percentages that sum to 100, not ${sum}`);
  }
  const tags = rows.map(({ tag }) => tag);
  for (const [index, tag] of tags.entries()) {
    if (typeof tag === 'string' && tags.indexOf(tag) !== index) {
      say([index, 'tag'], 'a tag used only once');
    }
  }
  checkMatches(rows, say);
}

/** The first row that matches counts: the same value in a later one would say nothing. */
function checkMatches(rows: readonly Loose<'match'>[], say: Say): void {
  const seen = new Set<string>();
  for (const [index, row] of rows.entries()) {
    const { header, values } = keysOf(row.match);
    if (typeof header !== 'string' || !Array.isArray(values)) continue;
    for (const [at, value] of values.entries()) {
      const id = `${header.toLowerCase()}: ${String(value)}`;
      if (seen.has(id)) say([index, 'match', 'values', at], `a value of ${header} used only once`);
      seen.add(id);
    }
  }
}

export function checkBounds(scaling: Loose<'min' | 'max' | 'initial'>, say: Say): void {
  const { max } = scaling;
  if (typeof max !== 'number') return;
  for (const key of ['min', 'initial'] as const) {
    const value = scaling[key];
    if (typeof value === 'number' && value > max) say([key], `at most max, which is ${max}`);
  }
}

const TIMES = new Set<unknown>(['latency', 'queueWait']);
const ASKED = new Set<unknown>(['prometheus', 'custom']);

export function checkSignal(
  row: Loose<'signal' | 'target' | 'query' | 'measure' | 'type'>,
  say: Say,
): void {
  const { signal, target, query, measure, type } = row;
  if (target === undefined) {
    if (signal !== 'concurrency') say(['target'], `a target: signal ${String(signal)} needs one`);
  } else if (TIMES.has(signal) && typeof target === 'number') {
    say(['target'], `a duration such as 200ms: ${String(signal)} is a time`);
  } else if (!TIMES.has(signal) && typeof target === 'string') {
    say(['target'], `a number: ${String(signal)} is no time`);
  }
  if ((signal === 'prometheus') !== (query !== undefined)) {
    say(['query'], signal === 'prometheus' ? 'a query' : 'no query: only prometheus has one');
  }
  if ((signal === 'custom') !== (measure !== undefined)) {
    say(
      ['measure'],
      signal === 'custom' ? 'the name of a measure' : 'no measure: only custom has one',
    );
  }
  if (type !== undefined && !ASKED.has(signal)) {
    say(['type'], 'no type: only prometheus and custom have one');
  }
}

/** Only what runs here can be frozen. */
function checkPark(spec: Loose<'revision' | 'revisions' | 'keepAlive'>, say: Say): void {
  const { park } = keysOf(spec.keepAlive);
  const isElsewhere = declaredIn(spec).every((each) => keysOf(each)['runtime'] === 'url');
  if (typeof park === 'number' && park > 0 && isElsewhere) {
    say(['keepAlive', 'park'], 'no park: what runs elsewhere (runtime url) cannot be frozen');
  }
}

/** What is kept for a time may not be more than there may be. */
function checkSchedules(spec: Loose<'scaling' | 'keepAlive'>, say: Say): void {
  const { max } = keysOf(spec.scaling);
  const { schedules } = keysOf(spec.keepAlive);
  if (typeof max !== 'number' || !Array.isArray(schedules)) return;
  for (const [index, row] of schedules.entries()) {
    const { min } = keysOf(row);
    if (typeof min === 'number' && min > max) {
      say(['keepAlive', 'schedules', index, 'min'], `at most scaling.max, which is ${max}`);
    }
  }
}

/** What a HorizontalPodAutoscaler counts is never none. */
function checkAutoscaler(spec: Loose<'revision' | 'revisions' | 'scaling'>, say: Say): void {
  const { min = 0 } = keysOf(spec.scaling);
  const isHpa = declaredIn(spec).some((each) => keysOf(each)['autoscaler'] === 'hpa');
  if (isHpa && min === 0) say(['scaling', 'min'], 'at least 1: autoscaler hpa keeps one instance');
}

export function checkSpec(
  spec: Loose<'revision' | 'revisions' | 'scaling' | 'keepAlive'>,
  say: Say,
): void {
  checkPark(spec, say);
  checkSchedules(spec, say);
  checkAutoscaler(spec, say);
  checkRevisions(spec, say);
}

function checkRevisions(spec: Loose<'revision' | 'revisions'>, say: Say): void {
  const { revision, revisions } = spec;
  if (revision !== undefined && revisions !== undefined) {
    say(['revisions'], 'either `revision` or `revisions`, not both');
  }
  if (!Array.isArray(revisions)) return;
  const names = revisions.map((each) => keysOf(each)['name']);
  for (const [index, name] of names.entries()) {
    if (name === undefined || names.indexOf(name) !== index) {
      say(['revisions', index, 'name'], 'a name of its own for each revision of the list');
    }
  }
}

function declaredIn({ revision, revisions }: Loose<'revision' | 'revisions'>): unknown[] {
  return Array.isArray(revisions) ? revisions : [revision];
}

function keysOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
