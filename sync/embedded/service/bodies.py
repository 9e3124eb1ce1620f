"""What requests may hold: absent is UNSET (keep), null clears; unknown keys are ignored. May import msgspec."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from sync.embedded.service.wire import CampaignType, Id, Level, Scope, Short, Status, StatusOn, TestMember

Instant = Annotated[datetime, Meta(tz=True)]
Hour = Annotated[int, Meta(ge=0, le=24)]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]


class CampaignPut(Struct, frozen=True):
    """PUT of a campaign: absent keeps, null clears. A new campaign needs name and type."""

    name: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    type: CampaignType | UnsetType = UNSET
    status: Short | UnsetType | None = UNSET
    is_active: bool | UnsetType | None = UNSET
    start_date: date | UnsetType | None = UNSET
    end_date: date | UnsetType | None = UNSET
    time_zone: Short | UnsetType | None = UNSET
    deleted: bool | UnsetType | None = UNSET
    statuses: list[Status] | UnsetType | None = UNSET
    status_on: StatusOn | UnsetType | None = UNSET


class EditionsPost(Struct, frozen=True):
    """Create editions by the campaign's type; the same operation again returns the same editions."""

    operation: Annotated[str, Meta(min_length=1, max_length=255)]


class EditionPatch(Struct, frozen=True):
    """Change an edition: absent keeps, null clears."""

    name: Short | UnsetType | None = UNSET
    subject: Annotated[str, Meta(max_length=998)] | UnsetType | None = UNSET
    html: str | UnsetType | None = UNSET
    text: str | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET
    days_delay: Annotated[int, Meta(ge=0, le=3650)] | UnsetType | None = UNSET
    start_date: date | UnsetType | None = UNSET
    end_date: date | UnsetType | None = UNSET
    not_before: Hour | UnsetType | None = UNSET
    not_after: Hour | UnsetType | None = UNSET
    weekdays: list[Annotated[int, Meta(ge=1, le=7)]] | UnsetType | None = UNSET
    salesforce_id: Short | UnsetType | None = UNSET
    if_version: Count | None = None


class MemberFields(Struct, frozen=True):
    """A member's fields in a batch: absent keeps, null clears; the second half is for adoption only."""

    email: Annotated[str, Meta(max_length=320)] | UnsetType | None = UNSET
    first_name: Short | UnsetType | None = UNSET
    last_name: Short | UnsetType | None = UNSET
    status: Short | UnsetType | None = UNSET
    test_member: bool | UnsetType | None = UNSET
    opted_out: bool | UnsetType | None = UNSET
    hold: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    added_at: Instant | UnsetType | None = UNSET
    level: Level | UnsetType | None = UNSET
    reason: Short | UnsetType | None = UNSET
    active: bool | UnsetType | None = UNSET
    opens: Count | UnsetType | None = UNSET
    clicks: Count | UnsetType | None = UNSET
    completions: Count | UnsetType | None = UNSET
    bounces: Count | UnsetType | None = UNSET


class BatchRow(Struct, frozen=True):
    """One member to write or delete; the person is the contact if there is one, else the lead.

    ``was``: the person under whom the member was known so far (the lead was converted, or two records were merged).
    The member goes on under the new person with level, counters and history; where both are members they become one.
    """

    op: Literal["upsert", "delete"]
    lead_id: Id | None = None
    contact_id: Id | None = None
    member_id: Id | UnsetType | None = UNSET
    was: Id | None = None
    fields: MemberFields = MemberFields()
    if_version: Count | None = None


class MembersBatch(Struct, frozen=True):
    """Up to 5,000 rows."""

    rows: Annotated[list[BatchRow], Meta(max_length=5000)]


class TestMembersPut(Struct, frozen=True):
    """The whole list; who is not in it is no longer a test member."""

    items: list[TestMember]


class SendsPrepare(Struct, frozen=True):
    """Who is due at an instant (null = now), in these campaigns (null = all); a dry run keeps nothing."""

    at: Instant | None = None
    campaigns: list[Id] | None = None
    dry_run: bool = False


class SendsRelease(Struct, frozen=True):
    """Release takes the count that was prepared."""

    expected: Count


class OptOutPost(Struct, frozen=True):
    """Opt a person out, everywhere or in one campaign."""

    scope: Scope = "global"
    campaign_id: Id | None = None
    reason: Short | None = None


class OptInPost(Struct, frozen=True):
    """Opt a person in again, everywhere or in one campaign; editions before `from_edition` stay unsent."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000)]
    campaign_id: Id | None = None
    from_edition: Id | None = None


class EventPost(Struct, frozen=True):
    """A delivery provider's report about one mail."""

    mail_id: Annotated[str, Meta(min_length=1, max_length=128)]
    type: Literal["delivered", "open", "click", "complete", "bounce", "complaint", "opt_out"]
    url: Annotated[str, Meta(max_length=4000)] | None = None
    hard: bool = True
    at: Instant | None = None
