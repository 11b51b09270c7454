/** Classes of requests, the most urgent first; what `Rouse-Priority` may say. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];
