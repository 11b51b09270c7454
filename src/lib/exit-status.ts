/** What a shell expects of a program that Ctrl-C has ended. */
export const INTERRUPTED = 130;
