import { OpenAPIHono } from '@hono/zod-openapi';
import type { Hono, MiddlewareHandler } from 'hono';
import { Fault } from '#lib/fault.ts';
import { createAuthentication } from './authenticate.ts';
import type { ApiContext, ApiEnv, ApiOptions } from './context.ts';
import { answerProblem } from './problems.ts';
import { createProtection } from './protect.ts';
import type { Route } from './route.ts';
import { makeArtifactRoutes } from './routes/artifacts.ts';
import { makeContentRoutes } from './routes/content.ts';
import { makeEventRoutes } from './routes/events.ts';
import { makeJobRoutes } from './routes/jobs.ts';
import { makeKeyRoutes } from './routes/keys.ts';
import { makeMeasureRoutes } from './routes/measures.ts';
import { makeModelRoutes } from './routes/models.ts';
import { makeObserveRoutes } from './routes/observe.ts';
import { makeRequestRoutes } from './routes/requests.ts';
import { makeRetentionRoutes } from './routes/retention.ts';
import { makeRevisionRoutes } from './routes/revisions.ts';
import { makeRolloutRoutes } from './routes/rollout.ts';
import { makeScheduleRoutes } from './routes/schedules.ts';
import { makeSelectionRoutes } from './routes/selection.ts';
import { makeServerRoutes } from './routes/server.ts';
import { makeTrafficRoutes } from './routes/traffic.ts';
import { makeComponents } from './schemas.ts';

/** The control API: who may ask is settled before any route sees a request. */
export function createApi(options: ApiOptions): Hono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();

  function serve(route: Route): void {
    app.openAPIRegistry.registerPath(route.config);
    if (route.head) app.openAPIRegistry.registerPath({ ...route.config, method: 'head' });
    app.on(route.config.method, route.pattern, (context) => route.run(context));
  }

  const routes = makeRoutes(options);
  app.use(createRecord(options));
  app.use(createProtection(options.allowedHosts));
  // Whoever asks it has another key than users have.
  for (const route of makeContentRoutes(options)) serve(route);
  app.use(createAuthentication(options.useCases, options.requireKey));
  for (const route of routes) serve(route);
  const document = JSON.stringify(makeOpenApi(app, options.version));
  app.get('/openapi.json', (context) =>
    context.body(document, 200, { 'content-type': 'application/json' }),
  );
  app.notFound((context) => answerProblem(context, makeMiss(routes, context), options.log));
  app.onError((error, context) => answerProblem(context, error, options.log));
  return app;
}

function makeRoutes(options: ApiOptions): Route[] {
  return [
    ...makeServerRoutes(options),
    ...makeModelRoutes(options),
    ...makeTrafficRoutes(options),
    ...makeRolloutRoutes(options),
    ...makeRevisionRoutes(options),
    ...makeRetentionRoutes(options),
    ...makeEventRoutes(options),
    ...makeObserveRoutes(options),
    ...makeMeasureRoutes(options),
    ...makeSelectionRoutes(options),
    ...makeRequestRoutes(options),
    ...makeJobRoutes(options),
    ...makeScheduleRoutes(options),
    ...makeArtifactRoutes(options),
    ...makeKeyRoutes(options),
  ];
}

/** Numbers each request and, at level debug, logs it: never its headers, query or body. */
function createRecord({ clock, log }: ApiOptions): MiddlewareHandler<ApiEnv> {
  const prefix = Math.floor(clock.now()).toString(36);
  let count = 0;
  return async (context, next) => {
    count += 1;
    const requestId = `${prefix}-${count}`;
    context.set('requestId', requestId);
    const startedAt = clock.now();
    await next();
    context.header('x-request-id', requestId);
    const { method, path } = context.req;
    const actor = context.get('actor')?.id;
    const ms = Math.round(clock.now() - startedAt);
    log.debug({ requestId, method, path, status: context.res.status, ms, actor }, 'request');
  };
}

function makeOpenApi(app: OpenAPIHono<ApiEnv>, version: string) {
  for (const [name, schema] of Object.entries(makeComponents())) {
    app.openAPIRegistry.registerComponent('schemas', name, schema);
  }
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Rouse control API',
      version,
      description: 'Models, revisions, traffic and what happened to them.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    security: [{ key: [] }, {}],
  });
}

/** No such path, or no such method on it. */
function makeMiss(routes: readonly Route[], context: ApiContext): Fault {
  const { method, path } = context.req;
  const methods = routes
    .filter(({ pattern }) => new RegExp(`^${pattern.replaceAll(/:\w+/g, '[^/]+')}$`).test(path))
    .map(({ config }) => config.method.toUpperCase());
  if (methods.length === 0) {
    return new Fault(
      'not_found',
      `there is no ${path.slice(0, 200)}; /openapi.json lists what there is`,
    );
  }
  context.header('allow', methods.join(', '));
  return new Fault(
    'method_not_allowed',
    `${method} is not for this path, expected ${methods.join(' or ')}`,
  );
}
