"""Builders of members for the tests of the pure core: a member in step on both sides, and changes to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sync.draft import MergeContext
from sync.ids import CampaignId, MemberId, PersonId
from sync.model import BaseMember, OrgMember, PersonKind, RunKind, ServiceMember, StatusLabel
from sync.settle import settle

CAMPAIGN = CampaignId("701000000000001AAA")
MEMBER = MemberId("00v000000000001AAA")
LEAD = PersonId("00Q000000000001AAA")
CONTACT = PersonId("003000000000001AAA")
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
LABELS = (
    StatusLabel("Sent", is_default=True, sort_order=1),
    StatusLabel("Opened", sort_order=2),
    StatusLabel("Responded", has_responded=True, sort_order=3),
)


def context(kind: RunKind = RunKind.MANUAL, **more: Any) -> MergeContext:
    return MergeContext(kind=kind, labels=more.pop("labels", LABELS), at=AT, **more)


def org_member(**changes: Any) -> OrgMember:
    member = OrgMember(
        member_id=MEMBER,
        campaign_id=CAMPAIGN,
        person_id=LEAD,
        kind=PersonKind.LEAD,
        lead_id=LEAD,
        contact_id=None,
        first_name="Ada",
        last_name="Lovelace",
        email="ada@example.org",
        opted_out=False,
        status="Sent",
        active=True,
        synced=AT,
    )
    return replace(member, **changes)


def service_member(**changes: Any) -> ServiceMember:
    member = ServiceMember(
        campaign_id=CAMPAIGN,
        person_id=LEAD,
        member_id=MEMBER,
        kind=PersonKind.LEAD,
        first_name="Ada",
        last_name="Lovelace",
        email="ada@example.org",
        status="Sent",
        active=True,
        version=7,
    )
    return replace(member, **changes)


def agreed(org: OrgMember | None = None, service: ServiceMember | None = None, **changes: Any) -> BaseMember:
    base = settle(org or org_member(), service or service_member(), None, off=frozenset(), digests=("o", "s"))
    return replace(base, **changes)
