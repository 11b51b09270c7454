import { Readable } from 'node:stream';
import { z } from 'zod';
import { modelName, namespaceName } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiContext, ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { byDigest, DIGEST_PREFIX } from './artifacts.ts';

const ofAttempt = z.strictObject({
  namespace: namespaceName,
  job: modelName,
  attempt: z.string().regex(/^[1-9][0-9]{0,5}$/, 'the number of an attempt, from 1 on'),
});

/** What pods ask: what opens it is a key for just that, no user's. */
export function makeContentRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/artifacts/{digest}/content',
      summary: 'The bytes, for the instance that serves them',
      tag: 'artifacts',
      params: byDigest,
      query: NONE,
      responses: {
        200: { description: 'The bytes.', content: { 'application/octet-stream': { schema: {} } } },
      },
      async handle({ context, params }) {
        const key = requireKey(context, 'ra_', 'the artifact');
        const digest = params.digest.slice(DIGEST_PREFIX.length);
        const content = Readable.from(await useCases.readArtifact(key, digest));
        const headers = { 'content-type': 'application/octet-stream' };
        return context.body(Readable.toWeb(content), 200, headers);
      },
    }),
    defineRoute({
      method: 'put',
      path: '/api/v1/namespaces/{namespace}/jobs/{job}/attempts/{attempt}/output',
      summary: 'Takes what a program has left, from its pod',
      tag: 'jobs',
      params: ofAttempt,
      query: NONE,
      body: { schema: 'Bytes', types: ['application/octet-stream'] },
      responses: { 201: jsonResponse('It is stored.', 'Artifact') },
      async handle({ context, params }) {
        const key = requireKey(context, 'ro_', 'what it has left');
        const { namespace, job: id, attempt } = params;
        const content = context.req.raw.body ?? new Blob([]).stream();
        const about = { namespace, id, attempt: Number(attempt) };
        return context.json(await useCases.takeOutput(key, about, content), 201);
      },
    }),
  ];
}

function requireKey(context: ApiContext, prefix: string, what: string): string {
  const key = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
  if (key?.startsWith(prefix) === true) return key;
  const wanted = `send the key of ${what} as "Authorization: Bearer ${prefix}…"`;
  throw new Fault('unauthorized', `a key is needed: ${wanted}`);
}
