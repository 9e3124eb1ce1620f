"""Values for the store's tests, made short: ids of the right form and rows with sensible fields."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sync.digest import org_digest, service_digest
from sync.ids import CampaignId, EditionId, MemberId, PersonId, to18
from sync.model import BaseMember, Campaign, CampaignType, Edition, OrgMember, PersonKind, ServiceMember, StatusLabel
from sync.plan import Change, Cost, Plan, PlanCounts, PlanRow, RunKind, Side, Subject

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)


def campaign_id(number: int = 1) -> CampaignId:
    return CampaignId(to18(f"701{number:012d}"))


def member_id(number: int) -> MemberId:
    return MemberId(to18(f"00v{number:012d}"))


def person_id(number: int) -> PersonId:
    return PersonId(to18(f"003{number:012d}"))


C1, C2 = campaign_id(1), campaign_id(2)


def campaign(number: int = 1, **fields: Any) -> Campaign:
    values: dict[str, Any] = {
        "id": campaign_id(number),
        "name": f"Campaign {number}",
        "type": CampaignType.ADAPTIVE,
        "type_label": "Adaptive",
        "is_active": True,
        "status": "In Progress",
        "start_date": date(2026, 11, 1),
        "end_date": date(2027, 1, 31),
        "auto_sync": True,
        "created": AT,
        "labels": (StatusLabel("Sent", True, False, 1), StatusLabel("Responded", False, True, 2)),
    }
    return Campaign(**(values | fields))


def org(number: int, person: int | None = None, **fields: Any) -> OrgMember:
    someone = person_id(number if person is None else person)
    values: dict[str, Any] = {
        "member_id": member_id(number),
        "campaign_id": C1,
        "person_id": someone,
        "kind": PersonKind.CONTACT,
        "lead_id": None,
        "contact_id": someone,
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        "email": f"p{number}@example.com",
        "opted_out": False,
        "status": "Sent",
        "created": AT,
        "stamp": AT,
    }
    return OrgMember(**(values | fields))


def service(number: int, person: int | None = None, **fields: Any) -> ServiceMember:
    values: dict[str, Any] = {
        "campaign_id": C1,
        "person_id": person_id(number if person is None else person),
        "member_id": member_id(number),
        "kind": PersonKind.CONTACT,
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        "email": f"p{number}@example.com",
        "status": "Sent",
        "active": True,
        "version": 1,
    }
    return ServiceMember(**(values | fields))


def base(one: OrgMember, other: ServiceMember, **fields: Any) -> BaseMember:
    values: dict[str, Any] = {
        "campaign_id": one.campaign_id,
        "person_id": one.person_id,
        "member_id": one.member_id,
        "org_digest": org_digest(one),
        "service_digest": service_digest(other),
        "status": one.status,
        "org_status": one.status,
        "service_status": other.status,
        "synced": AT,
    }
    return BaseMember(**(values | fields))


def edition(number: int = 1, **fields: Any) -> Edition:
    values: dict[str, Any] = {
        "id": EditionId(f"e{number}"),
        "campaign_id": C1,
        "slot": number,
        "role": "initial",
        "name": f"Edition {number}",
        "subject": "Hello",
        "active": True,
        "state": "active",
    }
    return Edition(**(values | fields))


def plan_row(seq: int, **fields: Any) -> PlanRow:
    values: dict[str, Any] = {
        "seq": seq,
        "side": Side.SALESFORCE,
        "campaign_id": C1,
        "subject": Subject.MEMBER,
        "subject_id": person_id(seq),
        "label": f"First{seq} Last{seq} <p{seq}@example.com>",
        "change": Change.LEVEL,
        "field": "level",
        "before": None,
        "after": "Sent",
        "reason": "sent on Monday",
        "rule": "predictive-owns",
    }
    return PlanRow(**(values | fields))


def plan(plan_id: str, rows: int, **fields: Any) -> Plan:
    values: dict[str, Any] = {
        "plan_id": plan_id,
        "kind": RunKind.MANUAL,
        "made_at": AT,
        "org_id": "00D000000000001AAA",
        "service_id": "s-1",
        "mapping_digest": "m",
        "campaigns": (),
        "counts": PlanCounts(added=rows),
        "cost": Cost(),
        "guards": (),
        "rows": rows,
    }
    return Plan(**(values | fields))
