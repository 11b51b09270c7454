import type { Address } from '#domain/routing.ts';

/** Where a program is asked. */
export type Place = Omit<Extract<Address, { readonly host: string }>, 'node'>;

/** What is told of one question to a program whether it is ready. */
export interface QuestionEvents {
  readonly onReady: () => void;
  /** It has arrived, and has no answer yet: as a phrase such as "GET / has no answer". */
  readonly onArrived: (what: string) => void;
  /** Its answer, as a phrase such as "GET / answered 503". */
  readonly onSeen: (what: string) => void;
  readonly onFailed: (error: NodeJS.ErrnoException) => void;
  /** Once, at its end. */
  readonly onOver: () => void;
}
