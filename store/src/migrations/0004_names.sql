-- A name costs its app what it takes wherever it stands: in a table, and once more in the index that finds it; and an entry
-- of an index that is longer than 1,002 bytes takes a page of 4,096 bytes for each 4,092 that are beyond. What is there
-- already is charged here, but for documents: each of them carries what was counted for it.
UPDATE usage SET bytes = bytes
    + ifnull((SELECT sum(length(key)) FROM kv WHERE kv.app = usage.app), 0)
    + ifnull((SELECT sum(length(CAST(name AS BLOB))) FROM collection WHERE collection.app = usage.app), 0)
    + ifnull((SELECT sum(length(CAST(mime AS BLOB))
            + (max(length(path) + length(CAST(mime AS BLOB)) + 100 - 1002, 0) + 4091) / 4092 * 4096)
        FROM blob WHERE blob.app = usage.app), 0)
    + ifnull((SELECT sum(length(token)
            + (max(length(token) + length(target) + 48 - 1002
                + CASE WHEN typeof(answer) IN ('blob', 'text') THEN length(CAST(answer AS BLOB)) ELSE 0 END, 0)
                + 4091) / 4092 * 4096)
        FROM once WHERE once.app = usage.app), 0);
