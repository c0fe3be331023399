"""The revisions of the database, one a file, the same on SQLite and PostgreSQL. Only `db.migrate` runs them."""
