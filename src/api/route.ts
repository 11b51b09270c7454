import type { RouteConfig } from '@hono/zod-openapi';
import { z } from 'zod';
import { requireRole } from '#control/roles.ts';
import { parseDocument } from '#domain/parse.ts';
import type { Actor, Role } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { mediaTypeOf } from './body.ts';
import type { ApiContext } from './context.ts';

type Shape = z.ZodObject;

/** No parameters of this kind. */
export const NONE = z.strictObject({});

/** What a handler gets: its parameters parsed, and who asks. */
export interface Call<P extends Shape, Q extends Shape> {
  readonly context: ApiContext;
  readonly actor: Actor;
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
}

/** What a write sends. */
interface Body {
  /** Name of the component that it is. */
  readonly schema: string;
  readonly types: readonly string[];
  /** Whoever has less is refused before any of it is read. Absent: nobody is asked who he is. */
  readonly role?: Role;
}

interface Definition<P extends Shape, Q extends Shape> {
  readonly method: 'get' | 'put' | 'post' | 'delete';
  /** As OpenAPI writes it: `/models/{model}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly params: P;
  readonly query: Q;
  readonly headers?: Shape;
  readonly body?: Body;
  /** Is HEAD promised, too? Hono answers it for each GET. */
  readonly head?: boolean;
  readonly responses: RouteConfig['responses'];
  handle(call: Call<P, Q>): Promise<Response> | Response;
}

/** One row of the API: what OpenAPI says of it, and what runs. */
export interface Route {
  readonly config: RouteConfig;
  readonly head: boolean;
  /** As Hono writes it: `/models/:model`. */
  readonly pattern: string;
  run(context: ApiContext): Promise<Response>;
}

/**
 * Parameters are parsed before the handler runs. A body must come as one of the types that the route takes:
 * a browser sends none of them across origins without asking first, and asking is never allowed. That holds
 * for `application/octet-stream`, too, and the only routes that take it are a PUT, which no form can send.
 */
export function defineRoute<P extends Shape, Q extends Shape>(route: Definition<P, Q>): Route {
  return {
    config: makeConfig(route),
    head: route.head ?? false,
    pattern: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    async run(context) {
      const actor = context.get('actor');
      if (route.body?.role) requireRole(actor, route.body.role);
      checkMediaType(context, route.body?.types);
      return await route.handle({
        context,
        actor,
        params: parseDocument(route.params, context.req.param(), 'the path of the request'),
        query: parseDocument(route.query, context.req.query(), 'the query of the request'),
      });
    },
  };
}

function checkMediaType(context: ApiContext, types: readonly string[] | undefined): void {
  if (!types || types.includes(mediaTypeOf(context))) return;
  const found = context.req.header('content-type');
  throw new Fault(
    'unsupported_media_type',
    `the body has ${found === undefined ? 'no Content-Type' : `the type ${found.slice(0, 100)}`}, expected ${types.join(' or ')}`,
  );
}

function makeConfig<P extends Shape, Q extends Shape>(route: Definition<P, Q>): RouteConfig {
  const { method, path, summary, tag, params, query, headers, body, responses } = route;
  const request = {
    params,
    query,
    ...(headers && { headers }),
    ...(body && { body: { required: true, content: makeContent(body) } }),
  };
  const fallback = {
    description: 'What was wrong.',
    content: { 'application/problem+json': { schema: schemaRef('Problem') } },
  };
  return {
    method,
    path,
    summary,
    tags: [tag],
    request,
    responses: { ...responses, default: fallback },
  };
}

function makeContent(body: Body) {
  return Object.fromEntries(
    body.types.map((type) => [
      type,
      { schema: body.schema === 'Bytes' ? {} : schemaRef(body.schema) },
    ]),
  );
}

function schemaRef(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** A response with a component as its JSON body. */
export function jsonResponse(description: string, schema: string) {
  return { description, content: { 'application/json': { schema: schemaRef(schema) } } };
}
