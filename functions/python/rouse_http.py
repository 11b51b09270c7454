"""As much of HTTP/1.1 as a model server behind the data plane needs; what it does not understand it refuses."""

import socket
import time

# Bodies are held in memory several times over while they become lists.
MAX_BODY_BYTES = 64 * 2**20
# What the data plane lets through is smaller.
MAX_HEAD_BYTES = 128 * 1024

# Idle connections are never closed here; whoever pools them is told a time that is long enough.
KEEP_ALIVE = "keep-alive: timeout=600\r\n\r\n"
# As long as a refused body may still take to arrive.
LINGER_SECONDS = 2

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


class Refused(Exception):
    """Not readable as a request: the connection ends with this answer."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Request:
    def __init__(self, method, path, headers, keep_alive):
        self.method = method
        self.path = path
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = b""


def read_head(reader):
    """The next request without its body; None when the caller has closed."""
    line = reader.readline(MAX_HEAD_BYTES + 1)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Refused(400, "the request line is not HTTP/1.1")
    headers = read_headers(reader, MAX_HEAD_BYTES - len(line))
    keep_alive = parts[2] == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Request(parts[0], parts[1].split("?", 1)[0], headers, keep_alive)


def read_headers(reader, limit):
    headers = {}
    while True:
        line = reader.readline(limit + 1)
        limit -= len(line)
        if limit < 0 or not line.endswith(b"\n"):
            raise Refused(431 if limit < 0 else 400, f"the head is larger than {MAX_HEAD_BYTES} bytes or cut off")
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        name = name.lower()
        if not colon or name.strip() != name:
            raise Refused(400, "a header line has no name and colon")
        if name in headers and name in ("content-length", "transfer-encoding"):
            raise Refused(400, f"found two headers {name}, expected one")
        headers[name] = value.strip()


def read_body(request, reader, connection):
    length = request.headers.get("content-length")
    coding = request.headers.get("transfer-encoding")
    if coding is not None and (length is not None or coding.lower() != "chunked"):
        raise Refused(400, "expected either content-length or transfer-encoding: chunked")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, f"content-encoding: found {request.headers['content-encoding']}, expected none")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise Refused(400, f"content-length: found {length[:20]}, expected a number")
    if int(length or 0) > MAX_BODY_BYTES:
        raise too_large()
    if request.headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.body = read_chunks(reader) if coding else read_exactly(reader, int(length or 0))


def read_chunks(reader):
    chunks, size = [], 0
    while True:
        text = reader.readline(1024).split(b";", 1)[0].strip()
        if not text or text.strip(b"0123456789abcdefABCDEF"):
            raise Refused(400, "a chunk has no size")
        length = int(text, 16)
        size += length
        if size > MAX_BODY_BYTES:
            raise too_large()
        if length == 0:
            read_headers(reader, MAX_HEAD_BYTES)
            return b"".join(chunks)
        chunks.append(read_exactly(reader, length))
        if reader.readline(3).strip():
            raise Refused(400, "a chunk is longer than its size")


def read_exactly(reader, length):
    body = reader.read(length)
    if len(body) < length:
        raise Refused(400, f"the body ends after {len(body)} of {length} bytes")
    return body


def too_large():
    return Refused(413, f"the body is larger than {MAX_BODY_BYTES} bytes")


def linger(connection):
    """Lets the caller finish sending: closing at once would destroy the answer before it is read."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(LINGER_SECONDS)
    end = time.monotonic() + LINGER_SECONDS
    try:
        while time.monotonic() < end and connection.recv(65536):
            pass
    except OSError:
        pass  # Too slow, or gone: either way the connection ends now.


def write(connection, status, body, keep_alive, json_length=None):
    """`json_length`: tensors follow so many bytes of JSON."""
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\n"
        f"content-type: application/{'json' if json_length is None else 'octet-stream'}\r\n"
        f"content-length: {len(body)}\r\n"
        + ("" if json_length is None else f"inference-header-content-length: {json_length}\r\n")
        + (KEEP_ALIVE if keep_alive else "connection: close\r\n\r\n")
    )
    connection.sendall(head.encode("latin-1") + body)
