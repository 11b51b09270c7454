import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyRecord } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Store } from '#store/store.ts';
import type { Journal } from '../records/journal.ts';
import { MAX_KEYS } from '../limits.ts';
import type { Publishing } from '../data-planes/publish.ts';
import { requireRole } from '../roles.ts';
import type { UseCases } from './usecases.ts';

type KeyUseCases = Pick<UseCases, 'createKey' | 'listKeys' | 'deleteKey' | 'authenticate'>;

/** 96 bits: never the same twice. */
const ID_BYTES = 12;
const SECRET_BYTES = 32;
const FORM = /^rk_([a-z0-9]{8,32})_([A-Za-z0-9_-]{43})$/;
const NOTE_LIMIT = 200;

/** Keys are random, so a plain hash is enough: there is nothing to guess that a slow one would protect. */
export function createKeyUseCases(options: {
  store: Store;
  journal: Journal;
  clock: Clock;
  publishing: Pick<Publishing, 'key' | 'keyGone'>;
}): KeyUseCases {
  const { store, journal, clock, publishing } = options;

  return {
    async createKey(actor, role, note, priority = 'normal') {
      requireRole(actor, 'admin');
      if (note.length > NOTE_LIMIT) {
        throw new Fault(
          'invalid',
          `a note has at most ${NOTE_LIMIT} characters, this one ${note.length}`,
        );
      }
      if ((await store.list('key', { limit: MAX_KEYS })).length >= MAX_KEYS) {
        throw new Fault('conflict', `there are ${MAX_KEYS} keys, which is the limit: delete some`);
      }
      const id = randomBytes(ID_BYTES).toString('hex');
      const random = randomBytes(SECRET_BYTES).toString('base64url');
      const now = clock.now();
      const hash = hashOf(random).toString('hex');
      const key: KeyRecord = { id, role, hash, note, priority, createdAt: now, createdBy: actor };
      const why = `key ${id} with the role ${role} created by ${actor.id}`;
      const event = { at: now, namespace: '', model: '', type: 'KeyCreated', why, actor };
      await journal.commit([{ kind: 'key', key: id, expected: 0, value: key }], [event]);
      publishing.key(key);
      return { key, secret: `rk_${id}_${random}` };
    },
    async listKeys(actor) {
      requireRole(actor, 'admin');
      return (await store.list('key', { limit: MAX_KEYS })).map((stored) => stored.value);
    },
    async deleteKey(actor, id) {
      requireRole(actor, 'admin');
      const stored = await store.get('key', id);
      if (!stored) throw new Fault('not_found', `there is no key ${id}`);
      const why = `key ${id} deleted by ${actor.id}`;
      const event = { at: clock.now(), namespace: '', model: '', type: 'KeyDeleted', why, actor };
      const write = { kind: 'key', key: id, expected: stored.version, value: undefined } as const;
      await journal.commit([write], [event]);
      publishing.keyGone(id);
    },
    async authenticate(secret) {
      const [, id, random] = FORM.exec(secret) ?? [];
      if (id === undefined || random === undefined) return undefined;
      const stored = await store.get('key', id);
      if (!stored) return undefined;
      const { hash, role } = stored.value;
      if (!timingSafeEqual(hashOf(random), Buffer.from(hash, 'hex'))) return undefined;
      return { id: `key:${id}`, role };
    },
  };
}

function hashOf(random: string): Buffer {
  return createHash('sha256').update(random).digest();
}
