import { createHash, timingSafeEqual } from 'node:crypto';
import type { StateChange } from '#bus/subscriber.ts';
import type { Priority } from '#domain/priority.ts';
import type { Caller } from '#domain/records.ts';
import type { RequestHead } from './http/request-head.ts';

/** As control makes them: an id, and the secret part that is known here by its hash alone. */
const FORM = /^Bearer +rk_([a-z0-9]{8,32})_([A-Za-z0-9_-]{43})$/i;
/** What starts like this is meant for Rouse, whatever follows; it is never passed on. */
const MEANT = /^Bearer[ \t]+rk_/i;
/** A key, wherever it stands: one that is shown in a wrong form is a secret, too, and no model may see it. */
const KEY = /rk_[a-z0-9]{8,32}_[A-Za-z0-9_-]{43}/i;
/** What may be the id of a key, where `PREFIX` stands. */
const ID = /rk_([a-z0-9]{8,32})_/y;
const PREFIX = 'rk_';
const BASIC = /\bBasic[ \t]+"?([^ \t",]+)/i;

/** A caller that has shown a key. */
interface KeyHolder {
  readonly caller: Caller;
  /** The highest that its requests may have, and have when they ask for nothing. */
  readonly priority: Priority;
}

interface KnownKey extends KeyHolder {
  readonly hash: Buffer;
}

/** What a connection's last Authorization was found to be. */
export interface ShownKey {
  readonly authorization: string;
  readonly version: number;
  readonly holder: KeyHolder | 'foreign' | 'unknown';
}

export const NO_KEY: ShownKey = { authorization: '', version: -1, holder: 'foreign' };

/** The keys that callers of models may show. Where none are taken every Authorization is for the model. */
export class Callers {
  /** Changes with every change of the keys: what was found before may be wrong now. */
  version = 0;
  private readonly keys = new Map<string, KnownKey>();
  private readonly takesKeys: boolean;

  constructor(takesKeys = true) {
    this.takesKeys = takesKeys;
  }

  apply({ full, keys, removedKeys }: StateChange): void {
    if (!full && keys.length === 0 && removedKeys.length === 0) return;
    this.version += 1;
    if (full) this.keys.clear();
    for (const id of removedKeys) this.keys.delete(id);
    for (const { id, hash, priority } of keys) {
      const caller: Caller = { id, kind: 'key' };
      this.keys.set(id, { caller, priority, hash: Buffer.from(hash, 'hex') });
    }
  }

  /** Who sent this Authorization, if it is not the one that was shown before and still means the same. */
  findAgain(shown: ShownKey, authorization: string): ShownKey {
    const { version } = this;
    if (shown.authorization === authorization && shown.version === version) return shown;
    return { authorization, version, holder: this.find(authorization) };
  }

  /** Whether a key stands outside of the head's Authorization, where it would go on to the model. */
  isMisplaced({ text, authorization }: RequestHead): boolean {
    if (this.keys.size === 0) return false;
    const own = authorization === '' ? -1 : text.indexOf(authorization);
    for (let at = text.indexOf(PREFIX); at >= 0; at = text.indexOf(PREFIX, at + 1)) {
      ID.lastIndex = at;
      const isOwn = own >= 0 && at >= own && at < own + authorization.length;
      if (!isOwn && this.keys.has(ID.exec(text)?.[1] ?? '')) return true;
    }
    return false;
  }

  /** Who sent this Authorization. 'foreign': it is none of ours; 'unknown': it is, and there is no such key. */
  private find(authorization: string): KeyHolder | 'foreign' | 'unknown' {
    if (!this.takesKeys || !isOurs(authorization)) return 'foreign';
    const [, id = '', secret = ''] = FORM.exec(authorization) ?? [];
    const key = this.keys.get(id);
    if (!key) return 'unknown';
    const hash = createHash('sha256').update(secret).digest();
    return hash.length === key.hash.length && timingSafeEqual(hash, key.hash) ? key : 'unknown';
  }
}

function isOurs(authorization: string): boolean {
  if (MEANT.test(authorization) || KEY.test(authorization)) return true;
  const [, credentials] = BASIC.exec(authorization) ?? [];
  return (
    credentials !== undefined && KEY.test(Buffer.from(credentials, 'base64').toString('latin1'))
  );
}
