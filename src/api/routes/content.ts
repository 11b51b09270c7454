import { Readable } from 'node:stream';
import { Fault } from '#lib/fault.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, NONE, type Route } from '../route.ts';
import { byDigest, DIGEST_PREFIX } from './artifacts.ts';

/** The bytes of an artifact, for the instance that serves it: what opens them is the artifact's key, no user's. */
export function makeContentRoute({ useCases }: ApiOptions): Route {
  return defineRoute({
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
      const key = /^Bearer +(ra_\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
      if (key === undefined) {
        const wanted = 'send the key of the artifact as "Authorization: Bearer ra_…"';
        throw new Fault('unauthorized', `a key is needed: ${wanted}`);
      }
      const digest = params.digest.slice(DIGEST_PREFIX.length);
      const content = Readable.from(await useCases.readArtifact(key, digest));
      const headers = { 'content-type': 'application/octet-stream' };
      return context.body(Readable.toWeb(content), 200, headers);
    },
  });
}
