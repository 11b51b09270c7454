/**
 * What h2spec finds wrong with the port, by section and number, and why it stays. All but `OURS` are
 * `node:http2`'s own doing: a bare server of it fails them, too, which the test proves each time.
 */

const AFTER_CLOSE =
  'nghttp2 ignores a frame on a stream that is closed, as RFC 9113 allows for a while after RST_STREAM; it keeps no list of closed streams.';
const PRIORITY =
  'RFC 9113 has deprecated priorities; nghttp2 ignores PRIORITY frames whatever they say.';

/**
 * The port speaks HTTP/1.1, too: what is no preface is a request of that, and is refused with its 400. And what
 * depends on how busy the machine is may fail at one server and not at the other.
 */
export const OURS: readonly string[] = ['http2/3.5/2', 'http2/6.1/2', 'http2/6.9.1/3'];

export const KNOWN_FAILURES: Readonly<Record<string, string>> = {
  'http2/3.5/2': 'The answer is that of HTTP/1.1, and the connection ends.',
  'http2/5.1/8': AFTER_CLOSE,
  'http2/5.1/9': AFTER_CLOSE,
  'http2/5.1/11': AFTER_CLOSE,
  'http2/5.1/12': AFTER_CLOSE,
  'http2/5.1.1/2': AFTER_CLOSE,
  'http2/5.3.1/2': PRIORITY,
  'http2/6.1/2':
    'Passes, unless the machine is so busy that the answer comes before the frame: the stream is closed then, and nghttp2 ignores it.',
  'http2/6.3/1': PRIORITY,
  'http2/6.7/2':
    'The test expects no answer to a PING that is an ACK, and node:http2 ends the session, since it sent none.',
  'http2/6.9.1/3':
    'Passes, unless the machine is so busy that the reset comes later than h2spec waits.',
};
