"""Alembic migrations of the state database. ``sync.store.migrate`` runs them; there is no configuration file."""
