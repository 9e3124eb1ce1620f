"""Members counted by campaign, and by campaign and status, from kept tallies instead of from every member.

The store keeps in ``_tally`` how many members of a campaign have a status, a lead, a contact; its columns are called
like the member's, so that a statement's conditions can be asked of it as they stand. ``rewritten`` says whether a
statement's answer is all in there; a property test holds both ways of answering against each other.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sync.embedded.org.soql_shape import Compiled

TABLE = "_tally"
_SUMS = {
    "t.CampaignId": "t.CampaignId",
    "t.Status": "t.Status",
    "count(t.Id)": "sum(t.N)",
    "count(t.LeadId)": "sum(t.N * (t.LeadId IS NOT NULL))",
    "count(t.ContactId)": "sum(t.N * (t.ContactId IS NOT NULL))",
    # The newest of a campaign's members with or without lead and contact like this row's, from the end of an index.
    "max(t.SystemModstamp)": (
        "max((SELECT m.SystemModstamp FROM CampaignMember m INDEXED BY cm_newest "
        "WHERE m.CampaignId = t.CampaignId AND (m.LeadId IS NULL) = (t.LeadId IS NULL) "
        "AND (m.ContactId IS NULL) = (t.ContactId IS NULL) AND NOT m.IsDeleted ORDER BY m.SystemModstamp DESC LIMIT 1))"
    ),
}
_GROUPS = frozenset({"t.CampaignId", "t.CampaignId, t.Status COLLATE NOCASE", "t.Status COLLATE NOCASE, t.CampaignId"})
_MEMBER = re.compile(r"\bt\.\w+(?: IS (?:NOT )?NULL)?")
_KEPT = frozenset({"t.CampaignId", "t.Status", "t.Status IS NULL", "t.Status IS NOT NULL"})
_FLAGS = frozenset(f"t.{name}Id IS {way}" for name in ("Lead", "Contact") for way in ("NULL", "NOT NULL"))
_ALIVE = "t.IsDeleted = 0"


def rewritten(compiled: Compiled) -> Compiled | None:
    """The same answer from the tallies; None when it is not all in there."""
    if compiled.item.name != "CampaignMember" or compiled.group not in _GROUPS or compiled.having:
        return None
    if not all(column in _SUMS for column in compiled.columns) or not compiled.where.endswith(_ALIVE):
        return None
    where = compiled.where.removesuffix(_ALIVE)
    asked = set(_MEMBER.findall(f"{where} {compiled.source} {compiled.order}"))
    if not asked <= _KEPT | _FLAGS:
        return None
    by_status = any(one.startswith("t.Status") for one in asked) or "Status" in compiled.group
    if by_status and "max(t.SystemModstamp)" in compiled.columns:
        return None
    return replace(
        compiled,
        columns=tuple(_SUMS[column] for column in compiled.columns),
        source=compiled.source.replace("CampaignMember t", f"{TABLE} t", 1),
        where=f"{where}t.N > 0",
    )
