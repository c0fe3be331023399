"""The migrations of the database: one revision a file, the same on SQLite and PostgreSQL. Only `db.migrate` runs
them."""
