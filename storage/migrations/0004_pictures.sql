-- Pictures as prompts: what came from what, what unfinished jobs start from, and which job a
-- message shows. A parent may be forgotten before its children.
ALTER TABLE jobs ADD COLUMN parent_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL;
CREATE INDEX jobs_by_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_by_card ON jobs (chat_id, card_message_id) WHERE card_message_id IS NOT NULL;
CREATE INDEX jobs_unfinished ON jobs (id) WHERE state IN ('queued', 'running');
