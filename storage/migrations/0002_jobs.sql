-- The job table is the queue. The other tables here are sums over its queued rows, kept by
-- triggers so that no code path can forget them: claiming must not cost more when more is stored.

CREATE TABLE jobs (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused: buttons carry it
    origin              TEXT    NOT NULL UNIQUE,
    user_id             INTEGER NOT NULL,
    chat_id             INTEGER NOT NULL,
    thread_id           INTEGER,
    reply_to_message_id INTEGER,
    language            TEXT    NOT NULL,
    mode                TEXT    NOT NULL,
    request             TEXT    NOT NULL,
    batch_key           TEXT    NOT NULL,
    pictures            INTEGER NOT NULL CHECK (pictures > 0),
    cost                INTEGER NOT NULL CHECK (cost >= 0),
    state               TEXT    NOT NULL DEFAULT 'queued' CHECK (
        state IN ('queued', 'running', 'done', 'delivered', 'failed', 'cancelled')
    ),
    attempts            INTEGER NOT NULL DEFAULT 0,
    crashes             INTEGER NOT NULL DEFAULT 0,
    created_at          REAL    NOT NULL,
    started_at          REAL,
    finished_at         REAL,
    error_code          TEXT,
    result              TEXT,
    card_message_id     INTEGER,
    card_has_media      INTEGER,
    card_stage          TEXT,
    told                INTEGER NOT NULL DEFAULT 0,
    claimed_at_place    INTEGER -- its user's place in the ring when it was last claimed
) STRICT;
CREATE INDEX jobs_of_user ON jobs (user_id, state, id);
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';
CREATE INDEX jobs_untold ON jobs (id) WHERE told = 0 AND state IN ('done', 'failed', 'cancelled');
CREATE INDEX jobs_told ON jobs (finished_at) WHERE told = 1;

-- The ring: users take turns by ascending place. Joining and being served both put a user at the
-- end, so between two turns of one user every other has at most one. The head is the user's
-- oldest queued job; its key is NULL when the job must run alone.
CREATE TABLE turns (
    user_id       INTEGER PRIMARY KEY,
    place         INTEGER NOT NULL,
    waiting       INTEGER NOT NULL CHECK (waiting >= 0),
    head_id       INTEGER REFERENCES jobs (id),
    head_mode     TEXT,
    head_key      TEXT,
    head_pictures INTEGER
) STRICT;
CREATE UNIQUE INDEX turns_by_head ON turns (head_id); -- also serves the foreign key
CREATE INDEX turns_by_place ON turns (place);
CREATE INDEX turns_ring ON turns (place, waiting) WHERE waiting > 0;
CREATE INDEX turns_by_kind ON turns (head_mode, head_key, place) WHERE waiting > 0;

-- How many users have exactly this many jobs queued.
CREATE TABLE depths (
    waiting INTEGER PRIMARY KEY CHECK (waiting > 0),
    users   INTEGER NOT NULL CHECK (users >= 0)
) STRICT;

-- Measured speed of a kind of job, a moving average; the empty kind is all of them together.
CREATE TABLE paces (
    mode        TEXT NOT NULL,
    batch_key   TEXT NOT NULL,
    picture_s   REAL NOT NULL,
    job_s       REAL NOT NULL,
    measured_at REAL NOT NULL,
    PRIMARY KEY (mode, batch_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX paces_by_age ON paces (measured_at);

CREATE TRIGGER jobs_joined AFTER INSERT ON jobs WHEN NEW.state = 'queued'
BEGIN
    INSERT INTO turns (user_id, place, waiting) VALUES (NEW.user_id, 0, 0)
        ON CONFLICT (user_id) DO NOTHING;
    UPDATE turns SET place = (SELECT MAX(place) + 1 FROM turns)
        WHERE user_id = NEW.user_id AND waiting = 0;
    UPDATE turns SET waiting = waiting + 1 WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER jobs_claimed AFTER UPDATE OF state ON jobs
    WHEN OLD.state = 'queued' AND NEW.state = 'running'
BEGIN
    UPDATE turns SET place = (SELECT MAX(place) + 1 FROM turns) WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER jobs_left AFTER UPDATE OF state ON jobs
    WHEN OLD.state = 'queued' AND NEW.state <> 'queued'
BEGIN
    UPDATE turns SET waiting = waiting - 1 WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER jobs_returned AFTER UPDATE OF state ON jobs
    WHEN OLD.state <> 'queued' AND NEW.state = 'queued'
BEGIN
    UPDATE turns
        SET place = CASE
                WHEN waiting = 0 THEN NEW.claimed_at_place
                ELSE MIN(place, NEW.claimed_at_place)
            END,
            waiting = waiting + 1
        WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER turns_counted AFTER UPDATE OF waiting ON turns
BEGIN
    UPDATE turns
        SET (head_id, head_mode, head_key, head_pictures) = (
            SELECT id, mode, CASE WHEN crashes = 0 THEN batch_key END, pictures
            FROM jobs
            WHERE user_id = NEW.user_id AND state = 'queued'
            ORDER BY id LIMIT 1
        )
        WHERE user_id = NEW.user_id;
    UPDATE depths SET users = users - 1 WHERE waiting = OLD.waiting;
    DELETE FROM depths WHERE waiting = OLD.waiting AND users = 0;
    INSERT INTO depths (waiting, users) SELECT NEW.waiting, 1 WHERE NEW.waiting > 0
        ON CONFLICT (waiting) DO UPDATE SET users = users + 1;
END;
