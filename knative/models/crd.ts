import { makeJsonSchema } from '#domain/json-schema.ts';
import { modelDocument } from '#domain/model.ts';
import { addRules } from './rules.ts';
import { makeStatusSchema } from './status-schema.ts';
import { makeStructural, type Structural } from './structural.ts';

/** `models.rouse.dev`: what teaches a cluster the model file. */

const GROUP = 'rouse.dev';
const VERSION = 'v1alpha1';

/** What `kubectl get models` shows; those of priority 1 only with `-o wide`. */
const COLUMNS = [
  { name: 'State', type: 'string', jsonPath: '.status.state' },
  { name: 'Traffic', type: 'string', jsonPath: '.status.split' },
  { name: 'Instances', type: 'integer', jsonPath: '.status.instances' },
  { name: 'Ready', type: 'string', jsonPath: readyOf('status') },
  { name: 'Reason', type: 'string', jsonPath: readyOf('reason') },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'URL', type: 'string', jsonPath: '.status.url', priority: 1 },
  { name: 'Message', type: 'string', jsonPath: readyOf('message'), priority: 1 },
] as const;

export function makeModelCrd(): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `models.${GROUP}`,
      labels: { 'app.kubernetes.io/name': 'rouse', 'app.kubernetes.io/component': 'models' },
      // With the definition all Models would go; Helm is to leave it when the release is uninstalled.
      annotations: { 'helm.sh/resource-policy': 'keep' },
    },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind: 'Model', listKind: 'ModelList', plural: 'models', singular: 'model' },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: makeModelSchema() },
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
        },
      ],
    },
  };
}

/** The model file, and what Rouse tells of the model. */
export function makeModelSchema(): Structural {
  const {
    properties = {},
    required,
    ...root
  } = addRules(makeStructural(makeJsonSchema(modelDocument)));
  const { name } = properties['metadata']?.properties ?? {};
  return {
    ...root,
    // What else there is in an object's metadata is the cluster's to say.
    properties: {
      ...properties,
      metadata: { type: 'object', ...(name && { properties: { name } }) },
      status: makeStatusSchema(),
    },
    ...(required && { required }),
  };
}

function readyOf(field: string): string {
  return `.status.conditions[?(@.type=="Ready")].${field}`;
}
