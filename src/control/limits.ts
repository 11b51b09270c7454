/** The largest models that one machine runs are smaller; more is a mistake or an attack on the disk. */
export const MAX_ARTIFACT_BYTES = 256 * 2 ** 30;
/** All revisions of a model are part of its routing, which every data plane holds in memory. */
export const MAX_REVISIONS = 500;
/** Ten times what is promised to work well; bounds the memory of control and of every data plane. */
export const MAX_MODELS = 100_000;
/** Keys are made by people: more is a loop gone wrong. */
export const MAX_KEYS = 10_000;
/** Rows of traffic in one answer: some megabytes. */
export const MAX_USAGE_PAGE = 10_000;
/** Rows of measures in one answer: some megabytes. */
export const MAX_MEASURE_PAGE = 5000;
/** Records of jobs that have ended, beside those that something refers to: some kilobytes each, all in memory. */
export const MAX_ENDED_JOBS = 1000;
/** Deletions that can be undone: as many as there may be models; some hundred bytes of memory each. */
export const MAX_TOMBSTONES = 100_000;
