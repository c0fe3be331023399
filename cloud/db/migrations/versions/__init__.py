"""The database's history, one revision a file, the same on SQLite and PostgreSQL. Run by `cloud.db.migrate` only."""
