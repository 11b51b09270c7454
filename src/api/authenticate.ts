import type { MiddlewareHandler } from 'hono';
import type { UseCases } from '#control/usecases.ts';
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
    if (header !== undefined) return await actorOfKey(useCases, header);
    if (context.env.localActor !== undefined) return context.env.localActor;
    const forwarded = FORWARDED.some((name) => context.req.header(name) !== undefined);
    if (!requireKey && !forwarded && isLocal(context)) return LOCAL_ACTOR;
    throw new Fault('unauthorized', 'a key is needed: send it as "Authorization: Bearer rk_…"');
  }

  return async (context, next) => {
    const open = OPEN_PATHS.has(context.req.path) && !context.req.header('authorization');
    if (!open) context.set('actor', await actorOf(context));
    await next();
  };
}

async function actorOfKey(useCases: UseCases, header: string): Promise<Actor> {
  const secret = /^Bearer +(\S+)$/i.exec(header)?.[1];
  const actor = secret === undefined ? undefined : await useCases.authenticate(secret);
  if (actor) return actor;
  throw new Fault('unauthorized', `this key is not known: list them with "${ROUSE} key list"`);
}
