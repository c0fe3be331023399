"""The history of the database: one revision a file, the same on SQLite and PostgreSQL. Run only by `db.migrate`."""
