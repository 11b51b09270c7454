import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import type { RequestInquiry, RequestReply, Submission } from '#bus/requests.ts';
import type { Upward } from '#bus/messages.ts';
import {
  type AsyncRequestOptions,
  type AsyncRequests,
  createAsyncRequests,
} from '#control/requests/async-requests.ts';
import type { AsyncRequestView } from '#domain/async-request.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';
import { listening } from '#test/listening.ts';
import { stateFolder } from '#test/store/state-folder.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

/** What Rouse sets in an answer that is the model's. */
export const BY_MODEL = { 'rouse-cold-start': 'false' } as const;
export const HOLDER = { id: 'abcdefgh', kind: 'key' } as const;
export const STRANGER = { id: '192.0.2.1', kind: 'address' } as const;
const LIMITS = { requests: 100_000, bytes: 2 ** 30, keepMs: 3_600_000 };
/** So soon that a test need not wait. */
const PACE = {
  attempts: { firstMs: 1, longestMs: 4 },
  deliveries: { firstMs: 1, longestMs: 4, giveUpMs: 3_600_000 },
};

type Handler = (...call: Parameters<RequestListener>) => unknown;
type Settings = AsyncRequestOptions['settings'];

export function makeSubmission(change: Partial<Submission> = {}): Submission {
  return {
    namespace: 'default',
    model: 'digits',
    caller: HOLDER,
    method: 'POST',
    target: '/v2/models/digits/infer',
    host: 'localhost',
    fields: 'X-Own: a\r\n',
    body: Buffer.from('in').toString('base64'),
    ...change,
  };
}

/** Asynchronous requests over a real store, with a server of the test in the data plane's place. */
export interface RequestHarness {
  readonly requests: AsyncRequests;
  ask(
    message:
      | { type: 'submit'; submission: Submission }
      | { type: 'inquire'; inquiry: RequestInquiry },
  ): Promise<RequestReply>;
  /** Its id. */
  submit(change?: Partial<Submission>): Promise<string>;
  view(id: string): Promise<AsyncRequestView>;
  untilState(id: string, state: AsyncRequestView['state']): Promise<AsyncRequestView>;
  metric(series: string): Promise<number>;
}

export function useRequests() {
  const teardown = useTeardown();

  async function serve(handler: Handler): Promise<number> {
    const server = createServer((incoming, response) => void handler(incoming, response));
    teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return await listening(server);
  }

  async function start(
    dataPlane: Handler,
    options: Partial<Settings> & {
      pace?: AsyncRequestOptions['pace'];
      wall?: Pick<Clock, 'now'>;
    } = {},
  ): Promise<RequestHarness> {
    const { pace = PACE, wall = systemClock, ...settings } = options;
    const port = await serve(dataPlane);
    const { folder, remove } = await stateFolder();
    teardown(remove);
    const store = await createSqliteRequests({ path: join(folder, 'r.db'), limits: LIMITS });
    teardown(() => store.close());
    const replies = new Map<number, (reply: RequestReply) => void>();
    let last = 0;
    const requests = await createAsyncRequests({
      store,
      settings: {
        anonymous: true,
        deadline: 3_600_000,
        webhookNetworks: ['127.0.0.1'],
        ...settings,
      },
      dataPlane: `http://127.0.0.1:${port}`,
      proxyProtocol: false,
      platformSecret: Buffer.alloc(32, 1),
      pace,
      catalog: { model: (key) => (key === 'default/none' ? undefined : ANY_MODEL) },
      reply: (_dataPlane, id, reply) => replies.get(id)?.(reply),
      clock: systemClock,
      wall,
      log: silentLog,
    });
    teardown(() => requests.close());

    const ask: RequestHarness['ask'] = (message) =>
      new Promise((resolve) => {
        const id = ++last;
        replies.set(id, resolve);
        const sent: Upward = { ...message, id };
        requests.onReport('dp', sent);
      });

    async function view(id: string): Promise<AsyncRequestView> {
      const inquiry: RequestInquiry = { request: id, caller: HOLDER, about: 'state' };
      const reply = await ask({ type: 'inquire', inquiry });
      if (reply.what !== 'state') throw new Error(JSON.stringify(reply));
      return reply.view;
    }

    return {
      requests,
      ask,
      view,
      async submit(change) {
        const reply = await ask({ type: 'submit', submission: makeSubmission(change) });
        if (reply.what !== 'state') throw new Error(JSON.stringify(reply));
        return reply.view.id;
      },
      async untilState(id, state) {
        let found = await view(id);
        await until(`${id} is ${state}`, async () => {
          found = await view(id);
          return found.state === state;
        });
        return found;
      },
      async metric(series) {
        const text = await requests.metrics();
        const line = text.split('\n').find((row) => row.startsWith(`${series} `));
        return Number(line?.slice(series.length + 1) ?? -1);
      },
    };
  }

  return { start, serve, teardown };
}

/** Nobody looks into it: there is one, that is all. */
const ANY_MODEL = {} as NonNullable<
  ReturnType<Parameters<typeof createAsyncRequests>[0]['catalog']['model']>
>;
