import type { TensorInfo } from '#domain/records.ts';
import { type GraphProto, type NodeProto, makeTensorType } from './proto.ts';

/**
 * scikit-learn's converters end a classifier with ZipMap, which turns the tensor of probabilities into a list of
 * maps: slow, and nothing that V2 can carry. Taking it out means putting an Identity in its place: the output
 * keeps its name and becomes the tensor that ZipMap was given, and the class labels become metadata.
 */

type Labels = NonNullable<TensorInfo['labels']>;

const FLOAT = 1;

/** Changes the graph in place; the labels of each output that was a ZipMap's. */
export function removeZipMaps(graph: GraphProto): ReadonlyMap<string, Labels> {
  const labels = new Map<string, Labels>();
  const outputs = new Map(graph.output.map((output) => [output.name, output]));
  for (const node of graph.node) {
    const output = outputs.get(node.output[0] ?? '');
    if (!isZipMap(node) || !output || isUsed(output.name, graph)) continue;
    const found = labelsOf(node);
    labels.set(output.name, found);
    // Rows of any number, a column for each class.
    output.type = makeTensorType(FLOAT, [undefined, found.length]);
    node.opType = 'Identity';
    node.domain = '';
    node.attribute = [];
  }
  return labels;
}

function isZipMap(node: NodeProto): boolean {
  return node.opType === 'ZipMap' && node.domain === 'ai.onnx.ml';
}

/** Another node that works on the maps needs them as they are. */
function isUsed(name: string, graph: GraphProto): boolean {
  return graph.node.some((node) => node.input.includes(name));
}

function labelsOf(node: NodeProto): Labels {
  for (const { name, ints, strings } of node.attribute) {
    if (name === 'classlabels_int64s') return ints.map(numberOrText);
    if (name === 'classlabels_strings') {
      return strings.map((label) => Buffer.from(label).toString());
    }
  }
  return [];
}

function numberOrText(label: bigint): number | string {
  const number = Number(label);
  return Number.isSafeInteger(number) ? number : String(label);
}
