"""The error board: rows that were not written, grouped by what went wrong, worst for a person first.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync.failures import failure_of
from sync.views import FailedRow, FailureGroup

ROWS_SHOWN = 200
"""Rows that a group carries along; ``count`` tells how many there are."""


def group_failures(rows: Iterable[FailedRow], names: Mapping[str, str] = {}) -> tuple[FailureGroup, ...]:
    """Groups by code: those that need a person before those that pass by themselves, bigger ones first.

    Args:
        rows: failed rows of any runs.
        names: campaign names by id, for the groups' list of campaigns.
    """
    by_code: dict[str, list[FailedRow]] = {}
    for row in rows:
        by_code.setdefault(row.code, []).append(row)
    groups = [_group(code, found, names) for code, found in by_code.items()]
    return tuple(sorted(groups, key=lambda each: (each.passes, -each.count, each.code)))


def _group(code: str, rows: list[FailedRow], names: Mapping[str, str]) -> FailureGroup:
    meant = failure_of(code)
    campaigns: dict[str, int] = {}
    for row in rows:
        campaigns[row.campaign_id] = campaigns.get(row.campaign_id, 0) + 1
    instants = [row.at for row in rows if row.at is not None]
    return FailureGroup(
        code=code,
        kind=meant.kind.value,
        cause=meant.cause,
        remedy=meant.remedy or rows[0].remedy,
        passes=meant.kind.passes,
        count=len(rows),
        people=len({(row.campaign_id, row.subject_id) for row in rows}),
        campaigns=tuple((key, names.get(key, key), count) for key, count in sorted(campaigns.items())),
        rows=tuple(rows[:ROWS_SHOWN]),
        newest=max(instants, default=None),
    )
