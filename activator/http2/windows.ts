/** What may be on its way in one stream without having been read; as much as is held of a waiting body. */
export const STREAM_WINDOW = 64 * 1024;
/** For all streams together: node:http2 gives it back as data comes, so a paused stream stops no other. */
export const SESSION_WINDOW = 1024 * 1024;
