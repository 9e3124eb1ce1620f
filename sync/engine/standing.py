"""Whether a side has a value of a row now: the one that the row found before it wrote, or the one that it wrote.

Imports values only. Whole members are the caller's to judge.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sync.model import OrgMember, ServiceMember, Side
from sync.plan import PlanRow
from sync.store.journal import JournalRow


def stands(row: PlanRow | JournalRow, value: Any, service: ServiceMember | None, org: Iterable[OrgMember]) -> bool:
    """True when the row's side has *value* in the row's field; of the synced marker only that there is one counts."""
    here: Any = service
    if row.side is Side.SALESFORCE:
        here = next((member for member in org if member.member_id == row.member_id), None)
    if here is None:
        return False
    if row.side is Side.SALESFORCE and row.field == "synced":
        return (here.synced is None) is (value is None)
    return (getattr(here, row.field) or None) == (value or None)
