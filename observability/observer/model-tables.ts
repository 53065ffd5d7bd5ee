/** Raised with every change of the tables or of what is folded into them: another version is built anew. */
export const modelVersion = 4;

/** The read model. `task` is the place of a task's first event; it stands for the task in every other table. */
export const modelTables = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    record TEXT NOT NULL,
    namespace TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    mark TEXT NOT NULL,
    events INTEGER NOT NULL,
    not_believed INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE event (
    sequence INTEGER PRIMARY KEY,
    task INTEGER,
    journal TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX event_of_task ON event (task, sequence);
  -- Of the events of no task, which are few; those of a task are told apart as it is folded.
  CREATE TABLE mesh_event_id (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE task (
    task INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    role TEXT NOT NULL,
    words TEXT NOT NULL,
    summary TEXT NOT NULL
  ) STRICT;
  CREATE INDEX task_of_state ON task (state, task);
  CREATE TABLE task_model (
    model TEXT NOT NULL,
    task INTEGER NOT NULL,
    PRIMARY KEY (model, task)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE spend (
    model TEXT NOT NULL,
    backend TEXT NOT NULL,
    role TEXT NOT NULL,
    calls INTEGER NOT NULL,
    failed_calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_micro_dollars INTEGER NOT NULL,
    PRIMARY KEY (model, backend, role)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE breaker (pool TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE dead (sequence INTEGER PRIMARY KEY, letter TEXT NOT NULL) STRICT;
`;
