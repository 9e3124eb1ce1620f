"""Column types that mean the same on SQLite and on PostgreSQL.

Imports SQLAlchemy only. Ids sort by code point on both (``C`` collation there, SQLite's default here); instants are
whole microseconds since 1970 in UTC, exact and sortable on both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

KEY: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Text of ids: compared and sorted byte by byte on both databases."""


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (instant - EPOCH) // _MICROSECOND


@lru_cache(maxsize=4_096)
def from_micros(micros: int) -> datetime:
    """The instant of a number of microseconds since 1970; many rows share one."""
    return EPOCH + timedelta(microseconds=micros)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, kept as a 64-bit integer of microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Instant to integer. Raises TypeError for a naive instant."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Integer to instant."""
        return None if value is None else from_micros(int(value))
