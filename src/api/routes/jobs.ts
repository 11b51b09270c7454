import { z } from 'zod';
import { isEnded, isJobRequest, type JobRequest, jobSpec } from '#domain/job.ts';
import { modelName, namespaceName } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import type { Actor } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiContext, ApiOptions } from '../context.ts';
import { createChangeStream } from '../change-stream.ts';
import { makeReportPage } from '../job-report.ts';
import { nextOf, type Page, page } from '../paging.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { lines } from './observe.ts';
import { jobBody } from '../schemas.ts';
import { makeJobView } from '../views.ts';

const JOBS_PATH = '/api/v1/namespaces/{namespace}/jobs';
const inNamespace = z.strictObject({ namespace: namespaceName });
const ofJob = z.strictObject({ namespace: namespaceName, job: modelName });

export function makeJobRoutes(options: ApiOptions): Route[] {
  const { useCases } = options;

  async function list(actor: Actor, namespace: string | undefined, query: Page) {
    const jobs = await useCases.listJobs(actor, namespace, query);
    return { items: jobs.map(makeJobView), ...nextOf(jobs, query.limit, ({ key }) => key) };
  }

  async function show(context: ApiContext, actor: Actor, namespace: string, id: string) {
    const read = async () => makeJobView(await useCases.getJob(actor, namespace, id));
    const first = await read();
    const streamed = (context.req.header('accept') ?? '').includes('text/event-stream');
    if (!streamed) return context.json(first);
    const body = createChangeStream({
      name: 'job',
      read,
      isLast: ({ state }) => isEnded(state),
      watch: (onNews, signal) => useCases.watchJob(actor, namespace, id, onNews, signal),
      clock: options.clock,
      closing: options.closing,
    });
    return context.body(body, 200, { 'content-type': 'text/event-stream' });
  }

  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/jobs',
      summary: 'The jobs of all namespaces',
      tag: 'jobs',
      params: NONE,
      query: page,
      responses: { 200: jsonResponse('In the order of namespaces and ids.', 'JobPage') },
      handle: async ({ context, actor, query }) =>
        context.json(await list(actor, undefined, query)),
    }),
    defineRoute({
      method: 'get',
      path: JOBS_PATH,
      summary: 'The jobs of a namespace',
      tag: 'jobs',
      params: inNamespace,
      query: page,
      responses: { 200: jsonResponse('In the order of their ids.', 'JobPage') },
      handle: async ({ context, actor, params, query }) =>
        context.json(await list(actor, params.namespace, query)),
    }),
    defineRoute({
      method: 'post',
      path: JOBS_PATH,
      summary: 'Scores the rows of an input with a model, or runs a program to its end',
      tag: 'jobs',
      params: inNamespace,
      query: z.strictObject({
        dryRun: z
          .enum(['true', 'false'])
          .optional()
          .meta({ description: 'Only what it would do, with its first answers.' }),
      }),
      body: { schema: 'JobRequest', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: {
        200: jsonResponse('With dryRun: what it would do.', 'JobCheck'),
        201: jsonResponse('It waits for its turn.', 'Job'),
      },
      async handle({ context, actor, params, query }) {
        const request = await readRequest(context);
        if (query.dryRun === 'true') {
          return context.json(await useCases.tryJob(actor, params.namespace, request));
        }
        const job = await useCases.createJob(actor, params.namespace, request);
        return context.json(makeJobView(job), 201);
      },
    }),
    defineRoute({
      method: 'get',
      path: `${JOBS_PATH}/{job}`,
      summary: 'A job, how far it is, and its report',
      tag: 'jobs',
      params: ofJob,
      query: NONE,
      responses: {
        200: {
          description: 'With Accept: text/event-stream each change, until it has ended.',
          content: {
            ...jsonResponse('', 'Job').content,
            'text/event-stream': { schema: { type: 'string' } },
          },
        },
      },
      handle: ({ context, actor, params }) => show(context, actor, params.namespace, params.job),
    }),
    defineRoute({
      method: 'get',
      path: `${JOBS_PATH}/{job}/report`,
      summary: 'What became of a batch job, as a page to look at',
      tag: 'jobs',
      params: ofJob,
      query: NONE,
      responses: {
        200: {
          description: 'One page that needs nothing else.',
          content: { 'text/html': { schema: { type: 'string' } } },
        },
      },
      async handle({ context, actor, params }) {
        const job = makeJobView(await useCases.getJob(actor, params.namespace, params.job));
        if (!('rows' in job)) {
          throw new Fault(
            'conflict',
            `job ${job.id} is a program: its report is in the job itself`,
          );
        }
        return context.body(makeReportPage(job), 200, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        });
      },
    }),
    defineRoute({
      method: 'get',
      path: `${JOBS_PATH}/{job}/logs`,
      summary: 'The last lines that its program wrote',
      tag: 'jobs',
      params: ofJob,
      query: lines,
      responses: { 200: jsonResponse('Oldest first.', 'LogPage') },
      async handle({ context, actor, params, query }) {
        const { namespace, job } = params;
        const found = await useCases.jobLogs(actor, namespace, job, query.limit);
        return context.json({ items: found.filter(({ at }) => at >= query.after) });
      },
    }),
    defineRoute({
      method: 'post',
      path: `${JOBS_PATH}/{job}`,
      summary: 'Pauses, resumes or cancels it; a program can be cancelled only',
      tag: 'jobs',
      params: ofJob,
      query: NONE,
      body: { schema: 'JobAction', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: { 200: jsonResponse('How it stands now.', 'Job') },
      async handle({ context, actor, params }) {
        const { action } = parseDocument(jobBody, await readDocument(context), 'the request');
        const job = await useCases.actOnJob(actor, params.namespace, params.job, action);
        return context.json(makeJobView(job));
      },
    }),
    defineRoute({
      method: 'delete',
      path: `${JOBS_PATH}/{job}`,
      summary: 'Forgets a job that has ended; what it made stays',
      tag: 'jobs',
      params: ofJob,
      query: NONE,
      responses: { 204: { description: 'It is forgotten.' } },
      async handle({ context, actor, params }) {
        await useCases.deleteJob(actor, params.namespace, params.job);
        return context.body(null, 204);
      },
    }),
  ];
}

/** As it was written: what it comes to is found when it is read. */
async function readRequest(context: ApiContext): Promise<JobRequest> {
  const document = await readDocument(context);
  if (isJobRequest(document)) return document;
  parseDocument(jobSpec, document, 'job');
  throw new Fault('invalid', 'job: it has not the form of one');
}
