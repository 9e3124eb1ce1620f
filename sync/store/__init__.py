"""The state database: landed rows of both sides, what they agreed, runs and their journal, plans, the call ledger.

Docstring only, so that naming the package costs nothing: the entry is ``sync.store.store.Store``, which imports
SQLAlchemy (and Alembic only when the stored revision is not the newest).
"""
