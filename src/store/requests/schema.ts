/** The history of the database of asynchronous requests: see `../migrations.ts`. */
export const REQUEST_MIGRATIONS: readonly string[] = [
  `
  -- 'requests' and 'bytes' count what is kept, so that limits are enforced without counting.
  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counter VALUES ('requests', 0), ('bytes', 0);

  -- 'bytes': of the content while it is to be sent, of the answer afterwards.
  CREATE TABLE request (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lane TEXT NOT NULL, caller TEXT NOT NULL,
    idempotency BLOB UNIQUE, digest BLOB NOT NULL, priority INTEGER NOT NULL, method TEXT NOT NULL,
    target TEXT NOT NULL, host TEXT NOT NULL, webhook TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    created_at REAL NOT NULL, begin_by REAL NOT NULL, next_at REAL NOT NULL, ended_at REAL, status INTEGER,
    reason TEXT NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX request_lane ON request (lane, seq);
  CREATE INDEX request_due ON request (lane, next_at) WHERE state = 'waiting';
  CREATE INDEX request_turn ON request (lane, priority, seq) WHERE state = 'waiting';
  CREATE INDEX request_deadline ON request (begin_by) WHERE state = 'waiting';
  CREATE INDEX request_running ON request (seq) WHERE state = 'running';
  CREATE INDEX request_ended ON request (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TRIGGER request_in AFTER INSERT ON request BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'requests';
    UPDATE counter SET value = value + new.bytes WHERE name = 'bytes';
  END;
  CREATE TRIGGER request_size AFTER UPDATE OF bytes ON request BEGIN
    UPDATE counter SET value = value + new.bytes - old.bytes WHERE name = 'bytes';
  END;
  CREATE TRIGGER request_out AFTER DELETE ON request BEGIN
    UPDATE counter SET value = value - 1 WHERE name = 'requests';
    UPDATE counter SET value = value - old.bytes WHERE name = 'bytes';
  END;

  -- What is sent, and what came back. Apart, so that looking for requests does not read them.
  CREATE TABLE content (
    seq INTEGER PRIMARY KEY REFERENCES request ON DELETE CASCADE, fields TEXT NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE answer (
    seq INTEGER PRIMARY KEY REFERENCES request ON DELETE CASCADE, status INTEGER NOT NULL,
    fields TEXT NOT NULL, body BLOB NOT NULL
  ) STRICT;

  CREATE TABLE delivery (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL REFERENCES request ON DELETE CASCADE, request TEXT NOT NULL,
    namespace TEXT NOT NULL, lane TEXT NOT NULL, url TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL, created_at REAL NOT NULL, next_at REAL NOT NULL, ended_at REAL, reason TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX delivery_request ON delivery (seq);
  CREATE INDEX delivery_due ON delivery (lane, next_at) WHERE state = 'waiting';
  CREATE INDEX delivery_state ON delivery (state, namespace, id);
  `,
  `
  -- What each caller has here: who has most gives way when there is no room.
  CREATE TABLE holder (
    caller TEXT PRIMARY KEY, requests INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO holder SELECT caller, count(*), sum(bytes) FROM request GROUP BY caller;
  CREATE INDEX holder_requests ON holder (requests);
  CREATE INDEX holder_bytes ON holder (bytes);
  CREATE INDEX request_caller ON request (caller, ended_at) WHERE ended_at IS NOT NULL;
  CREATE TRIGGER holder_in AFTER INSERT ON request BEGIN
    INSERT INTO holder VALUES (new.caller, 1, new.bytes)
      ON CONFLICT DO UPDATE SET requests = requests + 1, bytes = bytes + new.bytes;
  END;
  CREATE TRIGGER holder_size AFTER UPDATE OF bytes ON request BEGIN
    UPDATE holder SET bytes = bytes + new.bytes - old.bytes WHERE caller = new.caller;
  END;
  CREATE TRIGGER holder_out AFTER DELETE ON request BEGIN
    UPDATE holder SET requests = requests - 1, bytes = bytes - old.bytes WHERE caller = old.caller;
    DELETE FROM holder WHERE caller = old.caller AND requests = 0;
  END;
  `,
];
