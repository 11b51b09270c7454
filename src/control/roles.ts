import type { Actor, Role } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';

/** Each role may do what those before it may. */
const ORDER: readonly Role[] = ['read', 'invoke', 'deploy', 'admin'];

export function requireRole(actor: Actor, needed: Role): void {
  if (ORDER.indexOf(actor.role) >= ORDER.indexOf(needed)) return;
  throw new Fault('forbidden', `${actor.id} has the role ${actor.role}: this needs ${needed}`);
}
