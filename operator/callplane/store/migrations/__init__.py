"""Alembic migrations of the database, in plain SQL; run by `callplane.store.schema`."""
