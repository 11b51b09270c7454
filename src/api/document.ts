import { modelDocument, type ModelInput } from '#domain/model.ts';
import { findProblems, isModel, showValue, summaryOf } from '#domain/parse.ts';
import { Fault, type Problem } from '#lib/fault.ts';

interface Place {
  readonly namespace: string;
  readonly model: string;
}

/**
 * A model document for the path it was sent to: checked, but as it was written. `status` is what a read
 * adds, so that what was read can be sent back; a namespace that is left out is the path's.
 */
export function parseModelFor(place: Place, body: unknown): ModelInput {
  const document = withNamespace(withoutStatus(body), place.namespace);
  const found = findProblems(modelDocument, document);
  const problems = [...mismatches(document, place), ...found.problems];
  if (problems.length === 0 && isModel(document)) return document;
  throw new Fault('invalid', summaryOf('model', { ...found, problems }), { problems });
}

type Fields = Readonly<Record<string, unknown>>;

function withoutStatus(body: unknown): Fields {
  if (!isFields(body)) throw new Fault('bad_request', 'the body is no model document');
  const { status: _status, ...document } = body;
  return document;
}

function withNamespace(document: Fields, namespace: string): Fields {
  const { metadata } = document;
  if (!isFields(metadata) || metadata['namespace'] !== undefined) return document;
  return { ...document, metadata: { ...metadata, namespace } };
}

function mismatches(document: Fields, place: Place): Problem[] {
  const { metadata } = document;
  if (!isFields(metadata)) return [];
  const pairs = [
    ['name', place.model],
    ['namespace', place.namespace],
  ] as const;
  return pairs
    .filter(([key, expected]) => typeof metadata[key] === 'string' && metadata[key] !== expected)
    .map(([key, expected]) => ({
      key: `metadata.${key}`,
      value: showValue(metadata[key]),
      expected: `${JSON.stringify(expected)}, as the path says`,
    }));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
