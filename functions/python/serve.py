"""The model server for runtime `python`: a folder with a model.py that has predict(inputs) and, optionally, load().

Standard library only, Python 3.9 or newer. HTTP/1.1 with keep-alive, a thread for each connection; V2 and V1.
 What is imported here is part of every cold start, so it is little: the HTTP of the standard library alone
would take longer than all of this. The environment variables are those of src/domain/launch.ts.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
import traceback

import rouse_http
import rouse_protocol

BACKLOG = 4096
# Until the next try when the system would take no connection: some of ours end meanwhile.
SHORT_OF_FILES_SECONDS = 0.05


class Stopped(BaseException):
    """SIGTERM, as it reaches the main thread."""


class StartFailed(Exception):
    """The model cannot be served; the message is for the person who wrote it."""


class Server:
    """Knows every connection and whether a request runs on it; `changed` guards both and `stopping`."""

    def __init__(self, model, listener):
        self.model = model
        self.listener = listener
        self.changed = threading.Condition()
        self.busy = {}
        self.stopping = False

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                if self.stopping:
                    return
                time.sleep(SHORT_OF_FILES_SECONDS)
                continue
            if not self.mark(connection, False):
                end_reading(connection)  # It came while the server was stopped, which knows nothing of it.
            try:
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
            except RuntimeError:
                self.forget(connection)  # The system has no thread for it.

    def mark(self, connection, busy):
        """Remembers whether a request runs. False: the server stops, so no other may begin."""
        with self.changed:
            self.busy[connection] = busy
            return not self.stopping

    def serve(self, connection):
        reader = connection.makefile("rb")
        try:
            while self.serve_one(connection, reader):
                pass
        except OSError:
            pass  # The caller left: nobody is there to be told.
        except rouse_http.Refused as error:
            rouse_http.write(connection, error.status, rouse_protocol.error(error), False)
            rouse_http.linger(connection)
        finally:
            reader.close()
            self.forget(connection)

    def forget(self, connection):
        # In one turn: whoever stops the server must not meet a closed one.
        with self.changed:
            connection.close()
            del self.busy[connection]
            self.changed.notify_all()

    def serve_one(self, connection, reader):
        """One request; whether another may follow on this connection."""
        request = rouse_http.read_head(reader)
        if request is None:
            return False
        self.mark(connection, True)
        rouse_http.read_body(request, reader, connection)
        status, answer, json_length = rouse_protocol.answer(self.model, request)
        with self.changed:
            keep = request.keep_alive and not self.stopping
        rouse_http.write(connection, status, answer, keep, json_length)
        return self.mark(connection, False) and keep

    def stop(self):
        """Ends idle connections, lets the others finish, returns when none is left."""
        with self.changed:
            self.stopping = True
            self.listener.shutdown(socket.SHUT_RDWR)
            for connection, busy in self.busy.items():
                if not busy:
                    end_reading(connection)
            self.changed.wait_for(lambda: not self.busy)


def end_reading(connection):
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # The caller has reset it: its thread ends by itself.


def listen():
    path = os.environ.get("ROUSE_SOCKET")
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(path or ("127.0.0.1", int(os.environ["PORT"])))
    listener.listen(BACKLOG)
    return listener


def load_model(source):
    """Imports model.py of the folder and calls its load()."""
    folder = os.path.abspath(source)
    if not os.path.isfile(os.path.join(folder, "model.py")):
        raise StartFailed("there is no model.py in the folder")
    sys.path[0] = folder
    model = told("model.py cannot be imported", lambda: __import__("model"))
    if not callable(getattr(model, "predict", None)):
        raise StartFailed("model.py has no function predict(inputs)")
    if callable(getattr(model, "load", None)):
        told("load() failed", model.load)
    return rouse_protocol.Model(model)


def told(what, run):
    try:
        return run()
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        raise StartFailed(f"{what}: {type(error).__name__}: {error}") from error


def report(line):
    """One line to the runtime, then the pipe is closed."""
    fd = os.environ.pop("ROUSE_READY_FD", "")
    if fd:
        with os.fdopen(int(fd), "w") as pipe:
            pipe.write(json.dumps(line) + "\n")


def stand_by():
    """Waits for one assignment, and becomes what it says: see ENV_STANDBY in src/domain/launch.ts."""
    fd = int(os.environ["ROUSE_READY_FD"])
    os.write(fd, b"\n")
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(fd, 65536)
        if not chunk:
            sys.exit(0)  # The runtime has gone, or needs the memory.
        line += chunk
    assignment = json.loads(line)
    os.environ.clear()
    os.environ.update(assignment["environment"])
    os.chdir(assignment["cwd"])
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    os.write(fd, b"\n")


def on_sigterm(_signal, _frame):
    raise Stopped


def main():
    signal.signal(signal.SIGTERM, on_sigterm)
    if os.environ.get("ROUSE_STANDBY"):
        stand_by()
    try:
        begun = time.perf_counter()
        model = load_model(os.environ["ROUSE_SOURCE"])
        loaded = (time.perf_counter() - begun) * 1000
        server = Server(model, listen())
    except Exception as error:
        print(error, file=sys.stderr)
        report({"error": str(error)})
        return 1
    # Python runs what a signal asks for on the main thread, which therefore does nothing but wait for one.
    # The system may give a signal to any thread, or just before that wait begins: a byte is not missed then.
    signalled, signals = socket.socketpair()
    signals.setblocking(False)
    signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
    # What the platform gave us it knows.
    news = {} if os.environ.get("ROUSE_INSPECTION") else {"metadata": model.metadata()}
    try:
        threading.Thread(target=server.run, daemon=True).start()
        report({"load": round(loaded, 3), **news})
        while True:
            signalled.recv(64)
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.stop()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped:
        sys.exit(0)
