import { randomUUID } from 'node:crypto';
import type { Fields } from '../http/fields.ts';
import type { Plane } from '../plane.ts';
import { type Refusal, refusal } from '../refusal.ts';
import type { ModelRoute, RevisionRoute } from '../routes.ts';
import { noRevision, revisionTagged } from './shown-revision.ts';

/** Until a revision is ready for the first time, callers are asked to come back after this many seconds. */
const PREPARING_RETRY_S = 2;

/** The revision that serves, with what its response must set; or why none can. */
type Choice = { readonly route: RevisionRoute; readonly setCookie: string } | Refusal;

/**
 * By name, by tag, by a header that a row matches, by what the caller sticks to, or by the split. It may have failed
 * (`mustRefuse`).
 */
export function chooseRevision(
  plane: Plane,
  model: ModelRoute,
  revision: string,
  tag: string | undefined,
  fields: Fields,
): Choice {
  if (revision !== '') return byName(model, revision);
  if (tag !== undefined) return found(model, revisionTagged(model, tag));
  const matched = findMatch(model, fields);
  if (matched) return { route: matched, setCookie: '' };
  if (model.routing.sticky) return bySticky(plane, model, fields);
  return found(model, plane.routes.pick(model));
}

function byName(model: ModelRoute, revision: string): Choice {
  const route = model.revisions.get(revision);
  if (!route) return noRevision(model, revision);
  return route.routing.state === 'Ready' ? { route, setCookie: '' } : notReady(model, route);
}

function found(model: ModelRoute, route: RevisionRoute | undefined, setCookie = ''): Choice {
  if (route) return { route, setCookie };
  return notReady(model, [...model.revisions.values()].at(-1));
}

function notReady(model: ModelRoute, route: RevisionRoute | undefined): Choice {
  const { name } = model.routing;
  if (!route) {
    const detail = `Model ${name} has no revision yet.`;
    return refusal('unavailable', detail, { retryAfter: PREPARING_RETRY_S });
  }
  const { routing } = route;
  if (routing.state === 'Failed') return { route, setCookie: '' };
  const why = routing.waitingFor ?? routing.reason;
  const detail = `Revision ${routing.name} of ${name} is not ready yet (${routing.state}): ${why}`;
  return refusal('unavailable', detail, { retryAfter: PREPARING_RETRY_S });
}

function findMatch({ matches = [], revisions }: ModelRoute, fields: Fields) {
  const row = matches.find(({ header, values }) => values.includes(fields.find(header)));
  return row && revisions.get(row.revision);
}

/** A caller without the header gets the split; one without the cookie gets one to come back with. */
function bySticky(plane: Plane, model: ModelRoute, fields: Fields): Choice {
  const { header, cookie } = model.routing.sticky ?? {};
  if (header !== undefined) {
    const value = fields.find(header.toLowerCase());
    if (value === '') return found(model, plane.routes.pick(model));
    return found(model, plane.routes.pickSticky(model, hashOf(value)));
  }
  const name = cookie ?? '';
  const value = cookieOf(fields.find('cookie'), name);
  if (value !== '') return found(model, plane.routes.pickSticky(model, hashOf(value)));
  const fresh = randomUUID();
  const route = plane.routes.pickSticky(model, hashOf(fresh));
  return found(model, route, `Set-Cookie: ${name}=${fresh}; Path=/; HttpOnly; SameSite=Lax\r\n`);
}

function cookieOf(header: string, name: string): string {
  for (const part of header.split(';')) {
    const [key = '', ...value] = part.split('=');
    if (key.trim() === name) return value.join('=').trim();
  }
  return '';
}

/** FNV-1a over UTF-16 code units, 32 bits (Fowler, Noll, Vo). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  // The low bits alone would follow short, regular keys: a final mix spreads them.
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  return hash >>> 0;
}
