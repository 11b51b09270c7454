/** A time that does not come, ms. */
export const NEVER = Number.POSITIVE_INFINITY;
