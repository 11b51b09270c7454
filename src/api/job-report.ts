import type { Distribution, JobReport } from '#domain/job.ts';
import { formatDuration, formatTime } from '#domain/units.ts';
import type { BatchView } from '#domain/views.ts';

/** The report of a job as one page that needs nothing else: no script, no file, no address. */

const BINS = 40;
const WIDTH = 480;
const HEIGHT = 120;
/** Beside a line of text. */
const BAR = 12;
/** Bars of values that are told apart. */
const MOST_BARS = 20;

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .1rem 1.5rem .1rem 0; vertical-align: top; }
td.figure { text-align: right; font-variant-numeric: tabular-nums; }
svg { background: #f5f5f5; } rect { fill: #4a7; } .axis { display: flex; justify-content: space-between; width: ${WIDTH}px; } h2 { margin-top: 2rem; } h3 { margin-bottom: .2rem; }
`;

export function makeReportPage(job: BatchView): string {
  const { id, spec, revision, state, reason, createdAt, endedAt, report } = job;
  const title = `${id}: ${spec.model} ${revision}`;
  const about: [string, string][] = [
    ['state', `${state}: ${reason}`],
    ['input', spec.input.location],
    ['output', spec.output.path],
    ['made', formatTime(createdAt)],
    ['ended', endedAt === undefined ? '–' : formatTime(endedAt)],
  ];
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<title>${escape(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escape(title)}</h1>`,
    makeTable(about, 'text'),
    report ? makeReport(report) : '<p>There is no report: it is made when all rows are done.</p>',
    '</body></html>\n',
  ].join('\n');
}

function makeReport(report: JobReport): string {
  const { rows, seconds, rowsPerSecond, requests, retries, latency, batchSize } = report;
  const figures: [string, string][] = [
    ['rows', String(rows.done)],
    ['failed', String(rows.failed)],
    ['time', formatDuration(seconds * 1000)],
    ['rows per second', rowsPerSecond.toFixed(0)],
    ['requests', `${requests}, ${retries} sent again`],
    ['rows of a request', batchSize.toFixed(0)],
    ['latency p50, p95, p99', [latency.p50, latency.p95, latency.p99].map(formatMs).join(', ')],
    ['longest', formatMs(latency.max)],
    ['instance-seconds', report.instanceSeconds.toFixed(0)],
  ];
  const failures = report.failures.map(({ reason, rows: count }): [string, string] => [
    reason,
    String(count),
  ]);
  return [
    '<h2>Figures</h2>',
    makeTable(figures),
    ...(failures.length > 0 ? ['<h2>Rows that failed</h2>', makeTable(failures)] : []),
    '<h2>Outputs</h2>',
    ...report.outputs.map(makeOutput),
  ].join('\n');
}

function makeOutput(output: Distribution): string {
  const { name, count, mean, low, high, points, values } = output;
  const summary =
    mean === undefined || low === undefined || high === undefined
      ? `${count} values`
      : `${count} values, mean ${shorten(mean)}, from ${shorten(low)} to ${shorten(high)}`;
  const plot = values
    ? makeRanking(values.slice(0, MOST_BARS))
    : makeHistogram(points ?? [], low ?? 0, high ?? 0);
  return `<h3>${escape(name)}</h3><p>${summary}</p>${plot}`;
}

/** A bar beside each value. */
function makeRanking(values: readonly (readonly [string, number])[]): string {
  const most = Math.max(1, ...values.map(([, many]) => many));
  const lines = values.map(([value, many]) => {
    const wide = ((many / most) * WIDTH).toFixed(1);
    const bar = `<svg width="${WIDTH}" height="${BAR}" role="img"><rect width="${wide}" height="${BAR}"/></svg>`;
    return `<tr><th>${escape(value)}</th><td class="figure">${many}</td><td>${bar}</td></tr>`;
  });
  return `<table>${lines.join('')}</table>`;
}

function makeHistogram(points: readonly (readonly [number, number])[], low: number, high: number) {
  const bins = Array.from({ length: BINS }, () => 0);
  for (const [value, weight] of points) {
    const share = high > low ? (value - low) / (high - low) : 0;
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(share * BINS)));
    bins[bin] = (bins[bin] ?? 0) + weight;
  }
  const axis = `<div class="axis"><span>${shorten(low)}</span><span>${shorten(high)}</span></div>`;
  return makeBars(bins) + axis;
}

function makeBars(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  const wide = WIDTH / Math.max(1, counts.length);
  const bars = counts.map((count, index) => {
    const tall = (count / most) * HEIGHT;
    const at = `x="${(index * wide).toFixed(1)}" y="${(HEIGHT - tall).toFixed(1)}"`;
    return `<rect ${at} width="${(wide * 0.9).toFixed(1)}" height="${tall.toFixed(1)}"/>`;
  });
  return `<svg width="${WIDTH}" height="${HEIGHT}" role="img">${bars.join('')}</svg>`;
}

function makeTable(
  rows: readonly (readonly [string, string])[],
  kind: 'figure' | 'text' = 'figure',
): string {
  const lines = rows.map(
    ([name, value]) => `<tr><th>${escape(name)}</th><td class="${kind}">${escape(value)}</td></tr>`,
  );
  return `<table>${lines.join('')}</table>`;
}

function formatMs(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

function shorten(value: number): string {
  return String(Number(value.toPrecision(4)));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);
}
