import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '#lib/fault.ts';
import type { Lease } from './store.ts';

/**
 * Leases. A row stays for ever, so that its token only grows; one that was given back has holder ''. All
 * methods want an open transaction.
 */
export function createLeases(db: DatabaseSync) {
  const read = db.prepare('SELECT holder, token, expires_at FROM lease WHERE name = ?');
  const put = db.prepare(
    `INSERT INTO lease (name, holder, token, expires_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at`,
  );

  function current(name: string): { holder: string; token: number; expiresAt: number } {
    const row = read.get(name);
    return {
      holder: String(row?.['holder'] ?? ''),
      token: Number(row?.['token'] ?? 0),
      expiresAt: Number(row?.['expires_at'] ?? 0),
    };
  }

  return {
    lease(name: string, holder: string, ttlMs: number, now: number): Lease | undefined {
      const found = current(name);
      if (ttlMs <= 0) {
        if (found.holder === holder) put.run(name, '', found.token, 0);
        return undefined;
      }
      if (found.holder !== holder && found.expiresAt > now) return undefined;
      const token = found.holder === holder ? found.token : found.token + 1;
      const expiresAt = now + ttlMs;
      put.run(name, holder, token, expiresAt);
      return { name, holder, token, expiresAt };
    },
    /** An expired lease that nobody has taken since still holds: there is nobody to protect from it. */
    checkFence(fence: Lease): void {
      const { holder, token } = current(fence.name);
      if (holder === fence.holder && token === fence.token) return;
      throw new Fault(
        'precondition_failed',
        `lease ${fence.name} of ${fence.holder} is outdated: it has changed hands`,
      );
    },
  };
}
