import { createHash, randomBytes } from 'node:crypto';
import type { RoutingKey } from '#domain/routing.ts';

export function makeKey(priority: RoutingKey['priority']): { key: RoutingKey; secret: string } {
  const id = randomBytes(12).toString('hex');
  const random = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(random).digest('hex');
  return { key: { id, role: 'invoke', hash, priority }, secret: `rk_${id}_${random}` };
}
