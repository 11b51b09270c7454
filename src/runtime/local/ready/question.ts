/** What is told of one question to a program whether it is ready. */
export interface QuestionEvents {
  readonly onReady: () => void;
  /** As a phrase such as "GET / answered 503". */
  readonly onSeen: (what: string) => void;
  /** Once, at its end. */
  readonly onOver: () => void;
}

/** The connection to the program's port failed. Of what ended later, more has been seen than that. */
export function tellRefused(
  { onSeen }: QuestionEvents,
  port: number,
  { code }: NodeJS.ErrnoException,
): void {
  if (code === 'ECONNREFUSED') onSeen(`nothing listens on its port (PORT=${port})`);
}
