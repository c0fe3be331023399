"""The migrations of the database, the same on SQLite and PostgreSQL. Only `db.migrate` runs them."""
