-- Lines that an app has ever logged: its old ones are cut each time that so many more have come, whoever else logs
-- between them.
ALTER TABLE usage ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;
