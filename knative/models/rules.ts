import type { Rule, Structural } from './structural.ts';

/**
 * What Rouse asks of several keys together, for the API server to ask as well: where it is cheap to say, in the words
 * that Rouse has for it (`src/domain/model-rules.ts`; a test compares them). All else is told in the status. Numbers do
 * not appear in messages: what an expression for one may cost is beyond what the API server allows.
 */

/** Whose models come from a source, and whose server is ours. */
const WITH_SOURCE = "['onnx', 'function', 'python', 'image', 'url']";
const OURS = "['onnx', 'function', 'python']";

const REVISION: readonly Rule[] = [
  {
    rule: `!(self.runtime in ${WITH_SOURCE}) || has(self.source)`,
    message: 'a source: this runtime needs one',
    messageExpression: "'a source: runtime ' + self.runtime + ' needs one'",
    fieldPath: '.source',
  },
  {
    rule: "self.runtime != 'command' || size(self.args) > 0",
    message: 'the program and its arguments, such as ["./server", "--port", "${PORT}"]',
    fieldPath: '.args',
  },
  {
    rule: "self.runtime != 'url' || !has(self.source) || self.source.matches('^https?://[^/]')",
    message: 'an http:// or https:// address',
    fieldPath: '.source',
  },
  {
    rule: `!(self.runtime in ${OURS}) || !has(self.readiness.grpc) || !self.readiness.grpc`,
    message: 'no grpc: a model of this runtime is asked by HTTP',
    messageExpression: "'no grpc: a model of runtime ' + self.runtime + ' is asked by HTTP'",
    fieldPath: '.readiness.grpc',
  },
];
/** A HorizontalPodAutoscaler counts it. */
const isHpa = (revision: string): string =>
  `has(${revision}.autoscaler) && ${revision}.autoscaler == 'hpa'`;
const READINESS: readonly Rule[] = [
  {
    rule: '!has(self.path) || !has(self.grpc) || !self.grpc',
    message: 'either a path to ask by HTTP, or gRPC, not both',
    fieldPath: '.grpc',
  },
];
const REVISION_NAME: readonly Rule[] = [
  {
    rule: "self != 'latest'",
    message: 'another name: "latest" stands for the newest ready revision',
  },
];

/** By the path of the node; `[]` stands for the items of a list. */
const RULES: Readonly<Record<string, readonly Rule[]>> = {
  spec: [
    {
      rule: '!has(self.revision) || !has(self.revisions)',
      message: 'either `revision` or `revisions`, not both',
      fieldPath: '.revisions',
    },
    {
      rule:
        `!(has(self.revision) && ${isHpa('self.revision')}) && ` +
        `!(has(self.revisions) && self.revisions.exists(one, ${isHpa('one')})) || ` +
        'has(self.scaling) && has(self.scaling.min) && self.scaling.min > 0',
      message: 'at least 1: autoscaler hpa keeps one instance',
      fieldPath: '.scaling.min',
    },
  ],
  'spec.revision': REVISION,
  'spec.revision.name': REVISION_NAME,
  'spec.revision.readiness': READINESS,
  'spec.revisions': [
    {
      rule: 'self.all(one, has(one.name) && self.exists_one(other, has(other.name) && other.name == one.name))',
      message: 'a name of its own for each revision of the list',
    },
  ],
  'spec.revisions[]': REVISION,
  'spec.revisions[].name': REVISION_NAME,
  'spec.revisions[].readiness': READINESS,
  'spec.traffic': [
    {
      rule: 'self.map(row, row.percent).sum() == 100',
      message: 'percentages that sum to 100',
    },
    {
      rule: 'self.all(row, !has(row.tag) || self.exists_one(other, has(other.tag) && other.tag == row.tag))',
      message: 'a tag used only once',
    },
  ],
  'spec.traffic[]': [
    {
      rule: 'has(self.revision) != has(self.latest)',
      message: 'either a revision name or `latest: true`',
      fieldPath: '.revision',
    },
    {
      rule: '!has(self.match) || self.percent == 0',
      message: 'no percent: all that match go there',
      fieldPath: '.percent',
    },
  ],
  'spec.traffic[].revision': REVISION_NAME,
  'spec.shadow.revision': REVISION_NAME,
  'spec.sticky': [
    {
      rule: 'has(self.header) != has(self.cookie)',
      message: 'exactly one of header and cookie',
    },
  ],
  'spec.scaling': ['min', 'initial'].map((key) => ({
    // The default of the whole is checked before those of its keys are filled in.
    rule: `!has(self.${key}) || !has(self.max) || self.${key} <= self.max`,
    message: 'at most max',
    fieldPath: `.${key}`,
  })),
  'spec.keepAlive': ['idle', 'park'].map((key) => ({
    rule: `self.policy == 'fixed' || !has(self.${key})`,
    message: `no such key here; ${key} goes with policy fixed`,
    fieldPath: `.${key}`,
  })),
};

/** The schema with each rule at its node. Throws for one that has no node. */
export function addRules(schema: Structural): Structural {
  const left = new Set(Object.keys(RULES));
  const made = addBelow(schema, '', left);
  if (left.size > 0)
    throw new Error(`rules for what is not in the schema: ${[...left].join(', ')}`);
  return made;
}

function addBelow(node: Structural, path: string, left: Set<string>): Structural {
  const { properties, items } = node;
  const rules = RULES[path];
  left.delete(path);
  const below = Object.entries(properties ?? {}).map(([key, child]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return [key, addBelow(child, at, left)] as const;
  });
  return {
    ...node,
    ...(properties && { properties: Object.fromEntries(below) }),
    ...(items && { items: addBelow(items, `${path}[]`, left) }),
    ...(rules && { 'x-kubernetes-validations': rules }),
  };
}
