import type { Structural } from './structural.ts';

/** Schema of what `status.ts` makes: only Rouse writes it, so it describes more than it checks. */

const text = (description?: string): Structural => ({
  type: 'string',
  ...(description !== undefined && { description }),
});
const time = (description: string): Structural => ({
  type: 'string',
  format: 'date-time',
  description,
});
const listOfTexts: Structural = { type: 'array', items: text() };
const whole = (description: string): Structural => ({ type: 'integer', description });

function listOf(description: string, properties: Structural['properties']): Structural {
  return {
    type: 'array',
    description,
    items: { type: 'object', ...(properties && { properties }) },
  };
}

export function makeStatusSchema(): Structural {
  return {
    type: 'object',
    description: 'What Rouse has made of it.',
    properties: {
      observedGeneration: whole('The generation that this is said of.'),
      state: text('Asleep, Parked, Waking, Awake, Preparing or Failed.'),
      url: text('Where requests go.'),
      split: text('Its traffic in one line.'),
      instances: whole('How many there are now, without those that are ending.'),
      traffic: listOf('Resolved: latest has become a name.', {
        revision: text(),
        percent: { type: 'integer' },
        tag: text(),
        match: { type: 'object', properties: { header: text(), values: listOfTexts } },
      }),
      revisions: listOf('Newest first, and not all of very many.', {
        name: text(),
        runtime: text(),
        state: text('Preparing, Proving, Ready or Failed.'),
        reason: text('Why, in the words of the platform.'),
        createdAt: time('When it was made.'),
      }),
      conditions: makeConditions(),
    },
  };
}

/** As other kinds have them, so that tools such as `kubectl wait` know them. */
function makeConditions(): Structural {
  return {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
    description:
      'Accepted: Rouse took the spec. RevisionsReady: they can run. Ready: all of it is so.',
    items: {
      type: 'object',
      required: ['type', 'status'],
      properties: {
        type: text(),
        status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
        reason: text('In one word.'),
        message: text('In words for a human.'),
        lastTransitionTime: time('Since when the status is this.'),
        observedGeneration: whole('The generation that this is said of.'),
      },
    },
  };
}
