CREATE TABLE people (
    user_id       INTEGER PRIMARY KEY,
    language_code TEXT,
    blocked       INTEGER NOT NULL DEFAULT 0,
    first_seen_at REAL,
    last_seen_at  REAL,
    -- the person's own choices; NULL leaves the choice to the client or the profile
    language      TEXT,
    aspect_ratio  TEXT    NOT NULL,
    quality       TEXT,
    style         TEXT    NOT NULL,
    as_file       INTEGER NOT NULL
) STRICT;

CREATE TABLE buckets (
    user_id    INTEGER PRIMARY KEY,
    tokens     REAL NOT NULL,
    updated_at REAL NOT NULL
) STRICT;

CREATE TABLE daily_units (
    user_id INTEGER NOT NULL,
    day     INTEGER NOT NULL, -- whole UTC days since 1970-01-01
    spent   INTEGER NOT NULL CHECK (spent >= 0),
    PRIMARY KEY (user_id, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX daily_units_by_day ON daily_units (day);

CREATE TABLE conversations (
    key        TEXT PRIMARY KEY,
    state      TEXT,
    data       TEXT NOT NULL DEFAULT '{}',
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_by_age ON conversations (updated_at);

CREATE TABLE inbox (
    update_id   INTEGER PRIMARY KEY,
    payload     TEXT    NOT NULL, -- emptied once the update is handled
    attempts    INTEGER NOT NULL DEFAULT 0,
    handled     INTEGER NOT NULL DEFAULT 0,
    received_at REAL    NOT NULL
) STRICT;
CREATE INDEX inbox_pending ON inbox (update_id) WHERE handled = 0;
CREATE INDEX inbox_handled ON inbox (received_at) WHERE handled = 1;

CREATE TABLE blobs (
    key        TEXT PRIMARY KEY, -- SHA-256 of the content, in hexadecimal
    size_bytes INTEGER NOT NULL,
    stored_at  REAL    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_age ON blobs (stored_at);
