"""Adds columns to tables that exist, with plain SQLAlchemy: a new database takes every revision without Alembic."""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, Table, text
from sqlalchemy.schema import CreateColumn


def add(conn: Connection, table: str, *columns: Column[object]) -> None:
    """``ALTER TABLE … ADD COLUMN`` for each of *columns*, at the end of *table*, in order."""
    made = Table(table, MetaData(), *columns)
    for column in made.columns:
        spelled = CreateColumn(column).compile(dialect=conn.dialect)
        conn.execute(text(f"ALTER TABLE {table} ADD COLUMN {spelled}"))


def drop(conn: Connection, table: str, *names: str) -> None:
    """Drop columns by name."""
    for name in names:
        conn.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
