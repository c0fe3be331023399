"""The migrations, one per file, the same on SQLite and PostgreSQL. Only `db.migrate` runs them."""
