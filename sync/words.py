"""Words beside figures, as people read them. Pure; imports nothing."""

from __future__ import annotations


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: ``1 member``, ``12,480 members``; *many* where the plural is not *one* with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
