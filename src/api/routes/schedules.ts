import { z } from 'zod';
import { namespaceName } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import type { Actor } from '#domain/records.ts';
import { scheduleName } from '#domain/schedule.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { parseScheduleFor } from '../document.ts';
import { nextOf, type Page, page } from '../paging.ts';
import { etagOf, expectedVersion, versionFound } from '../preconditions.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { scheduleBody } from '../schemas.ts';
import { makeScheduleView } from '../views.ts';
import { conditions } from './models.ts';

const SCHEDULES_PATH = '/api/v1/namespaces/{namespace}/schedules';
const SCHEDULE_PATH = `${SCHEDULES_PATH}/{schedule}`;
const inNamespace = z.strictObject({ namespace: namespaceName });
const ofSchedule = z.strictObject({ namespace: namespaceName, schedule: scheduleName });
type Place = z.output<typeof ofSchedule>;

export function makeScheduleRoutes({ useCases }: ApiOptions): Route[] {
  async function list(actor: Actor, namespace: string | undefined, query: Page) {
    const shown = await useCases.listSchedules(actor, namespace, query);
    const next = nextOf(shown, query.limit, ({ schedule }) => schedule.key);
    return { items: shown.map(makeScheduleView), ...next };
  }

  function currentVersion(actor: Actor, { namespace, schedule }: Place) {
    return versionFound(
      async () => (await useCases.getSchedule(actor, namespace, schedule)).schedule,
    );
  }

  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/schedules',
      summary: 'The schedules of all namespaces',
      tag: 'schedules',
      params: NONE,
      query: page,
      responses: { 200: jsonResponse('In the order of namespaces and names.', 'SchedulePage') },
      handle: async ({ context, actor, query }) =>
        context.json(await list(actor, undefined, query)),
    }),
    defineRoute({
      method: 'get',
      path: SCHEDULES_PATH,
      summary: 'The schedules of a namespace',
      tag: 'schedules',
      params: inNamespace,
      query: page,
      responses: { 200: jsonResponse('In the order of their names.', 'SchedulePage') },
      handle: async ({ context, actor, params, query }) =>
        context.json(await list(actor, params.namespace, query)),
    }),
    defineRoute({
      method: 'get',
      path: SCHEDULE_PATH,
      summary: 'A schedule as it was written, when it runs next, and its last run',
      tag: 'schedules',
      params: ofSchedule,
      query: NONE,
      responses: { 200: jsonResponse('ETag is what If-Match takes.', 'ScheduleView') },
      async handle({ context, actor, params }) {
        const shown = await useCases.getSchedule(actor, params.namespace, params.schedule);
        return context.json(makeScheduleView(shown), 200, { etag: etagOf(shown.schedule.version) });
      },
    }),
    defineRoute({
      method: 'put',
      path: SCHEDULE_PATH,
      summary: 'Makes the schedule what the document says',
      tag: 'schedules',
      params: ofSchedule,
      query: NONE,
      headers: conditions,
      body: { schema: 'Schedule', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: {
        200: jsonResponse('Changed, or the same as before.', 'AppliedSchedule'),
        201: jsonResponse('It is new.', 'AppliedSchedule'),
      },
      async handle({ context, actor, params }) {
        const { namespace, schedule: name } = params;
        const document = parseScheduleFor({ namespace, name }, await readDocument(context));
        const expected = await expectedVersion(context, currentVersion(actor, params));
        const { outcome, ...shown } = await useCases.applySchedule(actor, document, expected);
        return context.json(
          { ...makeScheduleView(shown), applied: { outcome } },
          outcome === 'created' ? 201 : 200,
          { etag: etagOf(shown.schedule.version) },
        );
      },
    }),
    defineRoute({
      method: 'delete',
      path: SCHEDULE_PATH,
      summary: 'Removes a schedule with its history; jobs that it began go on',
      tag: 'schedules',
      params: ofSchedule,
      query: NONE,
      headers: conditions,
      responses: { 204: { description: 'It is gone.' } },
      async handle({ context, actor, params }) {
        const ifMatch = await expectedVersion(context, currentVersion(actor, params));
        await useCases.deleteSchedule(actor, params.namespace, params.schedule, ifMatch);
        return context.body(null, 204);
      },
    }),
    defineRoute({
      method: 'get',
      path: `${SCHEDULE_PATH}/runs`,
      summary: 'Runs of a schedule: as many as its history keeps, and those that have not ended',
      tag: 'schedules',
      params: ofSchedule,
      query: NONE,
      responses: { 200: jsonResponse('Newest first.', 'ScheduleRunPage') },
      handle: async ({ context, actor, params }) =>
        context.json({ items: await useCases.listRuns(actor, params.namespace, params.schedule) }),
    }),
    defineRoute({
      method: 'post',
      path: SCHEDULE_PATH,
      summary: 'Runs it once, now',
      tag: 'schedules',
      params: ofSchedule,
      query: NONE,
      body: { schema: 'ScheduleRequest', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: { 201: jsonResponse('It is about to begin.', 'ScheduleRun') },
      async handle({ context, actor, params }) {
        parseDocument(scheduleBody, await readDocument(context), 'the request');
        const run = await useCases.runSchedule(actor, params.namespace, params.schedule);
        return context.json(run, 201);
      },
    }),
  ];
}
