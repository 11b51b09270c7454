/** What a shell expects of a program that Ctrl-C has ended. */
export const INTERRUPTED = 130;
/** It was asked for in the wrong way. */
export const WRONG_USAGE = 2;
