import { z } from 'zod';
import { Fault } from '#lib/fault.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';

const ARTIFACT_PATH = '/api/v1/artifacts/{digest}';
export const DIGEST_PREFIX = 'sha256:';

export const byDigest = z.strictObject({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hex digits'),
});
const described = z.strictObject({
  name: z
    .string()
    .regex(/^[^/\\\p{Cc}]{1,255}$/u, 'a file name without a folder')
    .refine((name) => name !== '.' && name !== '..', 'a file name'),
  kind: z.enum(['file', 'folder']).default('file'),
});

export function makeArtifactRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: ARTIFACT_PATH,
      summary: 'What is stored under a digest',
      tag: 'artifacts',
      head: true,
      query: NONE,
      params: byDigest,
      responses: { 200: jsonResponse('Its size and name.', 'Artifact') },
      async handle({ context, actor, params }) {
        const found = await useCases.statArtifact(actor, params.digest.slice(DIGEST_PREFIX.length));
        if (found) return context.json(found);
        throw new Fault('not_found', `there is no content ${params.digest}`);
      },
    }),
    defineRoute({
      method: 'put',
      path: ARTIFACT_PATH,
      summary: 'Stores content; refused when its digest is another one',
      tag: 'artifacts',
      params: byDigest,
      query: described,
      body: { schema: 'Bytes', types: ['application/octet-stream'], role: 'deploy' },
      responses: { 201: jsonResponse('It is stored.', 'Artifact') },
      async handle({ context, actor, params, query }) {
        const content = context.req.raw.body ?? new Blob([]).stream();
        const digest = params.digest.slice(DIGEST_PREFIX.length);
        return context.json(await useCases.putArtifact(actor, digest, content, query), 201);
      },
    }),
  ];
}
