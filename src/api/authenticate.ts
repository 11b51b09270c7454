import type { MiddlewareHandler } from 'hono';
import type { UseCases } from '#control/usecases/usecases.ts';
import type { Actor } from '#domain/records.ts';
import { ROUSE } from '#lib/command.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { isLocal } from './protect.ts';

/** Who asks on loopback without a key: whoever may run programs on this machine. */
const LOCAL_ACTOR: Actor = { id: 'local', role: 'admin' };
/** For probes, which have no key. They tell no more than that the server runs. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);
/** Set by proxies: behind one, a caller without a key may be anybody. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip'] as const;

/** Finds the actor of a request. A wrong key is refused everywhere, even where none is needed. */
export function createAuthentication(
  useCases: UseCases,
  requireKey: boolean,
): MiddlewareHandler<ApiEnv> {
  async function actorOf(context: ApiContext): Promise<Actor> {
    const header = context.req.header('authorization');
    const needsNone = !requireKey && !isForwarded(context) && isLocal(context);
    if (header !== undefined) return await actorOfKey(useCases, header, needsNone);
    if (context.env.localActor !== undefined) return context.env.localActor;
    if (needsNone) return LOCAL_ACTOR;
    throw new Fault('unauthorized', 'a key is needed: send it as "Authorization: Bearer rk_…"');
  }

  return async (context, next) => {
    const open = OPEN_PATHS.has(context.req.path) && !context.req.header('authorization');
    if (!open) context.set('actor', await actorOf(context));
    await next();
  };
}

function isForwarded(context: ApiContext): boolean {
  return FORWARDED.some((name) => context.req.header(name) !== undefined);
}

async function actorOfKey(useCases: UseCases, header: string, needsNone: boolean): Promise<Actor> {
  const secret = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (secret === undefined) {
    throw new Fault('unauthorized', 'Authorization must be "Bearer rk_…", with a key of Rouse');
  }
  const actor = await useCases.authenticate(secret);
  if (actor) return actor;
  const what = 'this key is not known here: it was deleted, or is of another server';
  const next = needsNone
    ? 'control needs none on this machine: leave it out (ROUSE_KEY)'
    : `an admin can make another: ${ROUSE} key create`;
  throw new Fault('unauthorized', `${what}; ${next}`);
}
