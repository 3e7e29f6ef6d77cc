-- Whether a language model may improve this person's prompts, where the operator has one.
ALTER TABLE people ADD COLUMN beautify INTEGER NOT NULL DEFAULT 1;
