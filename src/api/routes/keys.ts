import { z } from 'zod';
import { parseDocument } from '#domain/parse.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { keyBody } from '../schemas.ts';
import { makeKeyView } from '../views.ts';

const byId = z.strictObject({ id: z.string().regex(/^[a-z0-9]{8,32}$/, 'the id of a key') });

export function makeKeyRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/keys',
      summary: 'Keys, without their secrets',
      tag: 'keys',
      params: NONE,
      query: NONE,
      responses: { 200: jsonResponse('All of them.', 'KeyPage') },
      handle: async ({ context, actor }) =>
        context.json({ items: (await useCases.listKeys(actor)).map(makeKeyView) }),
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/keys',
      summary: 'Makes a key; its secret is shown once',
      tag: 'keys',
      params: NONE,
      query: NONE,
      body: { schema: 'KeyRequest', types: DOCUMENT_TYPES, role: 'admin' },
      responses: { 201: jsonResponse('Keep the secret: it cannot be read again.', 'NewKey') },
      async handle({ context, actor }) {
        const { role, note, priority } = parseDocument(keyBody, await readDocument(context), 'key');
        const { key, secret } = await useCases.createKey(actor, role, note, priority);
        return context.json({ ...makeKeyView(key), secret }, 201);
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/api/v1/keys/{id}',
      summary: 'Removes a key: it opens nothing from now on',
      tag: 'keys',
      query: NONE,
      params: byId,
      responses: { 204: { description: 'It is gone.' } },
      async handle({ context, actor, params }) {
        await useCases.deleteKey(actor, params.id);
        return context.body(null, 204);
      },
    }),
  ];
}
