"""Plan rows into writes, and what the landed rows become once a write was answered.

Pure: imports values only. All rows of one record make one write; the platform's names come from the mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as AbcMapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from sync.cheap import changed
from sync.ids import CONTACT_PREFIX, CampaignId, MemberId, PersonId
from sync.mapping import Mapping
from sync.model import OrgMember, PersonKind, ServiceMember, Side
from sync.plan import REMOVALS, Change, PlanRow, Subject
from sync.ports import MemberOutcome, MemberWrite, OrgOperation, OrgOutcome, OrgWrite
from sync.undo import restored_fields

STATUS = "Status"
OPT_OUT_BOX = "HasOptedOutOfEmail"
MEMBER_OBJECT = "CampaignMember"

_WHOLE = ("level", "reason", "active", "opens", "clicks", "completions", "bounces")
_PUSHED = ("first_name", "last_name", "email", "status", "test_member", "opted_out", "hold")

Group = tuple[PlanRow, ...]
"""The rows of one record on one side, in plan order."""


def grouped(rows: Iterable[PlanRow]) -> Iterator[Group]:
    """Consecutive rows of the same record; the plan keeps a record's rows together."""
    group: list[PlanRow] = []
    for row in rows:
        if group and not _of_one_record(group[0], row):
            yield tuple(group)
            group = []
        group.append(row)
    if group:
        yield tuple(group)


def _of_one_record(one: PlanRow, other: PlanRow) -> bool:
    return (
        one.subject_id == other.subject_id
        and one.member_id == other.member_id
        and one.subject is other.subject
        and one.campaign_id == other.campaign_id
    )


def group_key(group: Group) -> str:
    """A key that is unique within a side of a plan."""
    first = group[0]
    return f"{first.campaign_id}|{first.subject._value_}|{first.subject_id}|{first.member_id or ''}"


def by_owner(group: Group) -> tuple[Group, ...]:
    """A record's rows for the org, the status apart: where it has moved, the rest is written all the same."""
    status = tuple(row for row in group if row.field == "status")
    if not status:
        return (group,)
    rest = tuple(row for row in group if row.field != "status")
    return tuple(part for part in (status, rest) if part)


def kind_of(person_id: str) -> PersonKind:
    """Lead or contact, told by the id's prefix."""
    return PersonKind.CONTACT if person_id.startswith(CONTACT_PREFIX) else PersonKind.LEAD


def restored(group: Group) -> dict[str, Side]:
    """The fields that an undo's rows restore against the other side's value, with the side they are restored on."""
    return {name: side for row in group for name, side in restored_fields(row, held=row.held).items()}


def service_write(group: Group) -> MemberWrite:
    """The service's row for a person: the union of what the group's rows say."""
    first = group[0]
    fields: dict[str, Any] = {}
    lead_id: str | None = None
    was: str | None = None
    version = first.version
    for row in group:
        if row.change is Change.ADD:
            fields |= {name: value for name, value in row.values.items() if name != "lead_id"}
            lead_id = row.values.get("lead_id")
            version = None
        elif row.change is Change.IDENTITY:
            was = row.values.get("was", was)
        elif row.change not in REMOVALS:
            fields[row.field] = row.after
    return MemberWrite(
        key=group_key(group),
        person_id=PersonId(first.subject_id),
        kind=kind_of(first.subject_id),
        member_id=MemberId(first.member_id) if first.member_id else None,
        delete=any(row.change in REMOVALS for row in group),
        lead_id=lead_id,
        was=PersonId(was) if was else None,
        fields=fields,
        if_version=version if version is None or version >= 0 else None,
    )


def patched_service(
    before: ServiceMember | None, write: MemberWrite, outcome: MemberOutcome, campaign: CampaignId
) -> ServiceMember:
    """The service's row after *outcome*: what was written, and what the service decided."""
    known = {name: write.fields[name] for name in (*_PUSHED, *_WHOLE) if name in write.fields}
    if "opted_out" in known:
        # A false never opts anybody in.
        known["opted_out"] = bool(known["opted_out"]) or (before is not None and before.opted_out)
    known |= {
        "person_id": write.person_id,
        "kind": write.kind,
        "reason": outcome.reason,
        "level": outcome.level,
    }
    if write.member_id is not None:
        known["member_id"] = write.member_id
    for name in ("active", "status", "version"):
        if getattr(outcome, name) is not None:
            known[name] = getattr(outcome, name)
    if before is not None:
        return changed(before, known)
    nothing: dict[str, Any] = dict.fromkeys(("member_id", "first_name", "last_name", "email", "status"))
    return ServiceMember(campaign_id=campaign, **(nothing | known))


@lru_cache(maxsize=8)
def api_names(mapping: Mapping) -> AbcMapping[str, str]:
    """Our member fields → API names; "" for what is switched off."""
    names = ("level", "reason", "synced", "active", "opens", "clicks", "completions", "bounces")
    return {"status": STATUS} | {name: getattr(mapping, f"member_{name}") for name in names}


@lru_cache(maxsize=8)
def _our_names(mapping: Mapping) -> AbcMapping[str, str]:
    """The inverse of ``api_names``."""
    return {name: field for field, name in api_names(mapping).items() if name}


def org_write(group: Group, mapping: Mapping, service: ServiceMember | None) -> OrgWrite | None:
    """The org's row for a person, None when the mapping leaves nothing to write.

    Args:
        group: rows of one member or person.
        mapping: API names.
        service: the service's row as it is now; decides what was only expected when the plan was made.
    """
    first = group[0]
    if first.subject is Subject.PERSON:
        contact = kind_of(first.subject_id) is PersonKind.CONTACT
        return OrgWrite(
            key=group_key(group),
            sobject="Contact" if contact else "Lead",
            operation=OrgOperation.UPDATE,
            values={OPT_OUT_BOX: True},
            campaign_id=first.campaign_id,
            record_id=first.subject_id,
        )
    names = api_names(mapping)
    values: dict[str, Any] = {}
    expect: dict[str, Any] = {}
    for row in group:
        name = names[row.field]
        if not name:
            continue
        value: Any = row.after
        if row.field == "synced" and row.after is not None:
            value = datetime.fromisoformat(str(row.after))
        elif row.on_arrival and service is not None:
            value = getattr(service, row.field)
        values[name] = value
        if row.field == "status":
            expect[name] = row.before
    if service is not None and any(row.on_arrival for row in group) and service.reason and names["reason"]:
        values.setdefault(names["reason"], service.reason)
    if not values:
        return None
    return OrgWrite(
        key=f"{group_key(group)}|{first.field}",
        sobject=MEMBER_OBJECT,
        operation=OrgOperation.UPDATE,
        values=values,
        campaign_id=first.campaign_id,
        record_id=first.member_id,
        expect=expect,
    )


def patched_org(before: OrgMember, write: OrgWrite, outcome: OrgOutcome, mapping: Mapping) -> OrgMember:
    """The org's row after *outcome*: what was written or, for fields with two owners, what was found."""
    ours = _our_names(mapping)
    values = {**write.values, **outcome.found} if outcome.state == "written" else outcome.found
    known = {ours[name]: value for name, value in values.items() if name in ours}
    if known.get("active") is None:
        known.pop("active", None)
    if isinstance(known.get("synced"), str):
        known["synced"] = datetime.fromisoformat(known["synced"])
    return changed(before, known)


def member_writes(rows: Iterable[PlanRow], mapping: Mapping) -> Sequence[OrgWrite]:
    """All org writes of a plan, as they are expected to be; for the cost."""
    writes = (org_write(group, mapping, None) for group in grouped(rows))
    return [write for write in writes if write is not None]
