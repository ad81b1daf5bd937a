-- A collection costs its app what its row takes (64 bytes and its name); those that are there already are charged here.
UPDATE usage SET bytes = bytes + ifnull(
    (SELECT sum(64 + length(CAST(name AS BLOB))) FROM collection WHERE collection.app = usage.app), 0);

-- Numbers of collections that are gone with their last document, to be given out again: there are 2^27 for all apps
-- together, and an app that makes and empties a collection without a pause would use them up within hours.
CREATE TABLE free_collection (id INTEGER PRIMARY KEY) STRICT;
