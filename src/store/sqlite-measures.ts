import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import {
  MEASURES_KEPT_DAYS,
  type MeasureBucket,
  type MeasureRecord,
  MOST_MEASURE_NAMES,
  MOST_POINTS,
} from '#domain/measures.ts';
import { mergePoints, type Points } from '#domain/points.ts';
import { modelKey, revisionKey } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { MeasureQuery, NewMeasure } from './store.ts';

export interface MeasureLimits {
  readonly keptMinutes: number;
  /** Of one model. */
  readonly names: number;
  /** Longer than anything may come late. */
  readonly idMinutes: number;
  /** At some 80 bytes each 160 MB; then the oldest go, and would count again. */
  readonly ids: number;
}
const DAY = 24 * 60;
const LIMITS: MeasureLimits = {
  keptMinutes: MEASURES_KEPT_DAYS * DAY,
  names: MOST_MEASURE_NAMES,
  idMinutes: 8 * DAY,
  ids: 2e6,
};
/** Of a SHA-256: among millions no two are the same. */
const ID_BYTES = 16;

/** What was measured, per revision, name and minute. `add` wants an open transaction. */
export function createMeasures(db: DatabaseSync, limits = LIMITS) {
  const trim = createTrim(db, limits);
  const ids = createIds(db, limits.ids);
  const seriesOf = createSeries(db, limits.names);
  const one = db.prepare('SELECT * FROM measure WHERE series = ? AND minute = ?');
  const put = db.prepare('INSERT OR REPLACE INTO measure VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const page = db.prepare(
    `SELECT s.namespace, s.model, s.revision, s.name, m.* FROM measure_series s
       JOIN measure m ON m.series = s.id
       WHERE s.namespace = ?1 AND s.model = ?2 AND (?3 IS NULL OR s.revision = ?3)
       AND (?4 IS NULL OR s.name = ?4) AND m.minute BETWEEN ?5 AND ?6
       AND (?7 IS NULL OR (m.minute, s.revision, s.name) > (?7, ?8, ?9))
       ORDER BY m.minute, s.revision, s.name LIMIT ?10`,
  );

  function addTo(series: number, more: MeasureBucket): void {
    const row = one.get(series, more.minute);
    const { minute, count, sum, sumSquares, low, high, points } = row
      ? addUp(bucketOf(row), more)
      : more;
    put.run(series, minute, count, sum, sumSquares, low, high, JSON.stringify(points));
  }

  return {
    add(rows: readonly NewMeasure[], now: number): number {
      trim(Math.floor(now / 60_000));
      let repeated = 0;
      for (const row of rows) {
        if (row.id !== undefined && !ids.isNew(row, row.id)) repeated++;
        else addTo(seriesOf(row), row);
      }
      return repeated;
    },
    query(query: MeasureQuery): MeasureRecord[] {
      const { namespace, model, revision, name, from, to, after, limit } = query;
      const start = Math.max(from, after?.minute ?? from);
      const place = [after?.minute, after?.revision, after?.name].map((part) => part ?? null);
      return page
        .all(namespace, model, revision ?? null, name ?? null, start, to, ...place, limit)
        .map(recordOf);
    },
  };
}

function addUp(a: MeasureBucket, b: MeasureBucket): MeasureBucket {
  return {
    minute: a.minute,
    count: a.count + b.count,
    sum: a.sum + b.sum,
    sumSquares: a.sumSquares + b.sumSquares,
    low: Math.min(a.low, b.low),
    high: Math.max(a.high, b.high),
    points: mergePoints([a.points, b.points], MOST_POINTS),
  };
}

/** The number of a name of a revision, new if need be. */
function createSeries(db: DatabaseSync, most: number) {
  const find = db.prepare(
    'SELECT id FROM measure_series WHERE namespace = ? AND model = ? AND revision = ? AND name = ?',
  );
  const names = db.prepare(
    'SELECT name FROM measure_series WHERE namespace = ? AND model = ? AND revision = ? ORDER BY name',
  );
  const insert = db.prepare(
    'INSERT INTO measure_series (namespace, model, revision, name, minute) VALUES (?, ?, ?, ?, ?) RETURNING id',
  );
  const touch = db.prepare('UPDATE measure_series SET minute = max(minute, ?) WHERE id = ?');
  return ({ namespace, model, revision, name, minute }: MeasureRecord): number => {
    const known = find.get(namespace, model, revision, name)?.['id'];
    if (known !== undefined) {
      touch.run(minute, Number(known));
      return Number(known);
    }
    const others = names.all(namespace, model, revision).map((row) => String(row['name']));
    if (others.length < most) {
      return Number(insert.get(namespace, model, revision, name, minute)?.['id']);
    }
    const what =
      revision === ''
        ? `model ${modelKey(namespace, model)}`
        : `revision ${revisionKey(namespace, model, revision)}`;
    const list = others.join(', ');
    throw new Fault('conflict', `${what} has ${most} measures, which is the limit: ${list}`);
  };
}

/** Remembers what was counted. */
function createIds(db: DatabaseSync, most: number) {
  const insert = db.prepare('INSERT OR IGNORE INTO measure_id VALUES (?, ?)');
  const count = db.prepare(
    "UPDATE counter SET value = value + ? WHERE name = 'measureIds' RETURNING value",
  );
  const forget = db.prepare(
    'DELETE FROM measure_id WHERE id IN (SELECT id FROM measure_id ORDER BY minute LIMIT ?)',
  );
  return {
    isNew({ namespace, model, revision, name, minute }: MeasureRecord, id: string): boolean {
      const text = `${revisionKey(namespace, model, revision)}/${name}/${id}`;
      const digest = createHash('sha256').update(text).digest().subarray(0, ID_BYTES);
      if (insert.run(digest, minute).changes === 0) return false;
      const surplus = Number(count.get(1)?.['value']) - most;
      if (surplus > 0) count.get(-Number(forget.run(surplus).changes));
      return true;
    },
  };
}

/** What is too old goes when a minute begins: then it is what one minute has brought. */
function createTrim(db: DatabaseSync, { keptMinutes, idMinutes }: MeasureLimits) {
  const rows = db.prepare('DELETE FROM measure WHERE minute < ?');
  const series = db.prepare('DELETE FROM measure_series WHERE minute < ?');
  const ids = db.prepare('DELETE FROM measure_id WHERE minute < ?');
  const count = db.prepare("UPDATE counter SET value = value - ? WHERE name = 'measureIds'");
  let trimmed = -1;
  return (minute: number): void => {
    if (minute === trimmed) return;
    trimmed = minute;
    rows.run(minute - keptMinutes);
    series.run(minute - keptMinutes);
    count.run(Number(ids.run(minute - idMinutes).changes));
  };
}

function recordOf(row: Record<string, unknown>): MeasureRecord {
  return {
    namespace: String(row['namespace']),
    model: String(row['model']),
    revision: String(row['revision']),
    name: String(row['name']),
    ...bucketOf(row),
  };
}

function bucketOf(row: Record<string, unknown>): MeasureBucket {
  const points: Points = JSON.parse(String(row['points']));
  return {
    minute: Number(row['minute']),
    count: Number(row['count']),
    sum: Number(row['sum']),
    sumSquares: Number(row['sum_squares']),
    low: Number(row['low']),
    high: Number(row['high']),
    points,
  };
}
