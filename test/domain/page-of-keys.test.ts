import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { makeJsonSchema } from '#domain/json-schema.ts';
import { modelDocument } from '#domain/model.ts';
import { scheduleDocument } from '#domain/schedule.ts';
import { serverDocument } from '#domain/server.ts';
import { formatKeys } from './page-of-keys.ts';

const PAGE = resolve(import.meta.dirname, '../../docs/files.md');

const TOP = `# Files

Every key of the files that Rouse reads, with what it may be, its default and its meaning. An editor completes and checks
them by \`/schemas/model.json\` and \`/schemas/schedule.json\` of control; the keys of the server are also flags and environment
variables: \`rouse serve --help\`.

Durations are \`500ms\`, \`30s\`, \`5m\`, \`1h\` or \`2d\`, at most \`24d\`; periods, such as what \`retention\` counts, are written alike, at most \`3650d\`. Sizes are \`64Mi\`, \`2G\`, or bytes.
`;

test('the page of all keys is what the schemas say: vitest -u writes it', async () => {
  const sections = [modelDocument, scheduleDocument, serverDocument].map((schema) => {
    const { title, description, ...keys } = makeJsonSchema(schema);
    return `## ${title}\n\n${description}\n\n${formatKeys(keys)}`;
  });
  await expect([TOP, ...sections].join('\n')).toMatchFileSnapshot(PAGE);
});
