-- What a collection had before it went with its last document: whoever has its number next goes on from there, so that no
-- number is ever another document's. A scan that was half way through the one would read on in the other.
ALTER TABLE free_collection ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
