/** Two steps of a schema that only the tests have. */
export const STEPS = [
  "CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('precious')",
  "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'new'; UPDATE t SET a = 'half done'",
] as const;
