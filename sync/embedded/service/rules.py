"""The domain's rules as pure functions: what blocks an edition, whom it fits, how status and reason move.

No I/O, no clock: facts in, verdicts out. Sources are the sections of the domain notes (2.2 sending, 3 levels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sync.embedded.service.wire import Blocked, Role, State, Status, StatusOn

OPT_OUT_DIRECT = "Opt Out Direct"
OPT_OUT_INDIRECT = "Opt Out Indirect"
OPT_OUT_PREVIOUS = "Opt Out Previous"
COMPLAINT = "Complaint"
BOUNCE = "Bounce"
NO_EMAIL = "No Email"

SENT, OPENED, CLICKED, COMPLETED = range(4)
SOFT_BOUNCES_IN_A_ROW = 3

ADAPTIVE_ROLES: tuple[Role, ...] = ("initial", "not_opened", "not_clicked", "not_complete", "complete")
ADAPTIVE_NAMES = ("Initial", "Not Opened", "Not Clicked", "Not Complete", "Complete")

# An edition is for members at exactly this level (91); Initial for those that were never sent anything.
_AUDIENCE: dict[str, int | None] = {
    "initial": None,
    "not_opened": SENT,
    "not_clicked": OPENED,
    "not_complete": CLICKED,
    "complete": COMPLETED,
}
_CLOSED_STATUSES = frozenset({"completed", "aborted"})
_ADDRESS = re.compile(r"^[^@\s,;<>()\[\]\\\"]+@[^@\s,;<>()\[\]\\\"]+\.[^@\s,;<>()\[\]\\\".]+$")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """What sending needs to know of a campaign."""

    is_active: bool
    deleted: bool
    status: str | None
    start_date: date | None
    end_date: date | None
    where: ZoneInfo


@dataclass(frozen=True, slots=True)
class EditionFacts:
    """What sending needs to know of an edition."""

    role: Role
    active: bool
    has_content: bool
    start_date: date | None
    end_date: date | None
    not_before: int | None
    not_after: int | None
    weekdays: tuple[int, ...] | None
    tested: bool
    activated: bool
    sent: int


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What sending needs to know of a member. ``from_slot``: the first edition since an opt-in."""

    active: bool
    reason: str | None
    hold: str | None
    test_member: bool
    from_slot: int | None


def sound_address(email: str | None) -> bool:
    """Whether mail can be addressed to this at all (not whether it arrives)."""
    return bool(email) and len(email or "") <= 254 and email is not None and _ADDRESS.match(email) is not None


def email_key(email: str | None) -> str:
    """The form in which two addresses are compared."""
    return (email or "").strip().casefold()


def audience_level(role: Role) -> int | None:
    """The level that an Adaptive edition is for; None = never sent to (Initial)."""
    return _AUDIENCE[role]


def _campaign_blocks(campaign: CampaignFacts, today: date) -> Iterable[Blocked]:
    if campaign.deleted:
        yield Blocked("campaign_deleted", "The campaign is deleted.")
    if not campaign.is_active:
        yield Blocked("campaign_inactive", "The campaign is not active.")
    if (campaign.status or "").casefold() in _CLOSED_STATUSES:
        yield Blocked("campaign_closed", f"The campaign's status is {campaign.status}.")
    if campaign.start_date and today < campaign.start_date:
        yield Blocked("campaign_not_started", f"The campaign starts on {campaign.start_date}.")
    if campaign.end_date and today > campaign.end_date:
        yield Blocked("campaign_ended", f"The campaign ended on {campaign.end_date}.")


def _edition_blocks(edition: EditionFacts, today: date) -> Iterable[Blocked]:
    if not edition.active:
        yield Blocked("edition_inactive", "The edition is not active.")
    if not edition.has_content:
        yield Blocked("content_missing", "The edition has no subject or no HTML.")
    if edition.role == "scheduled":
        if edition.start_date is None or edition.end_date is None:
            yield Blocked("edition_dates_missing", "The edition has no date range.")
        if edition.start_date and today < edition.start_date:
            yield Blocked("edition_not_started", f"The edition's range starts on {edition.start_date}.")
        if edition.end_date and today > edition.end_date:
            yield Blocked("edition_ended", f"The edition's range ended on {edition.end_date}.")
    if not edition.tested:
        yield Blocked("not_tested", "The edition was never sent to a test member.")


def _hour_blocks(edition: EditionFacts, local: datetime) -> Iterable[Blocked]:
    if not within_hours(local.hour, edition.not_before, edition.not_after):
        start = 0 if edition.not_before is None else edition.not_before
        end = 24 if edition.not_after is None else edition.not_after
        yield Blocked("outside_hours", f"It is {local:%H:%M}; mails go from {start}:00 to {end}:00 ({local.tzinfo}).")
    if edition.weekdays is not None and local.isoweekday() not in edition.weekdays:
        yield Blocked("wrong_weekday", f"It is {_WEEKDAYS[local.weekday()]}, on which this edition is not sent.")


def within_hours(hour: int, not_before: int | None, not_after: int | None) -> bool:
    """Whether an hour (0-23) lies in the window [not before, not after); 22 to 6 is a window over midnight."""
    start = 0 if not_before is None else not_before
    end = 24 if not_after is None else not_after
    return start <= hour < end if start <= end else (hour >= start or hour < end)


def blocked_by(
    campaign: CampaignFacts, edition: EditionFacts, now: datetime, *, has_address: bool = True, room: int = 1
) -> list[Blocked]:
    """Every condition of sending at campaign and edition level that does not hold at ``now`` (domain 2.2).

    ``has_address``: whether a company street address for the footer is configured; ``room``: mails left this hour.
    """
    local = now.astimezone(campaign.where)
    found = [
        *_campaign_blocks(campaign, local.date()),
        *_edition_blocks(edition, local.date()),
        *_hour_blocks(edition, local),
    ]
    if not has_address:
        found.append(Blocked("address_missing", "No company street address is set; mails need one."))
    if room <= 0:
        found.append(Blocked("hourly_limit", "This hour's mails are used up."))
    return found


def refusals(member: MemberFacts, slot: int) -> list[Blocked]:
    """Why a member whose turn it is is not mailed an edition all the same; the first of them is what counts."""
    found = []
    if not member.active:
        found.append(Blocked("inactive", f"The member is inactive: {member.reason or 'no reason is known'}."))
    if member.hold is not None:
        found.append(Blocked("held", f"The member is held: {member.hold}."))
    if member.test_member:
        found.append(Blocked("test_member", "The member is a test member of the campaign."))
    if member.from_slot is not None and slot < member.from_slot:
        found.append(Blocked("earlier_edition", f"The member opted in again from edition {member.from_slot} on."))
    return found


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of sending as people know it, and the rules whose breach it is (domain 2.2)."""

    rule: str
    text: str
    breaches: frozenset[str]
    only: frozenset[Role] | None = None

    def concerns(self, role: Role) -> bool:
        """Whether editions of this role have the condition at all."""
        return self.only is None or role in self.only


_ADAPTIVE = frozenset[Role](ADAPTIVE_ROLES)
CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "campaign_active",
        "The campaign is active",
        frozenset({"campaign_deleted", "campaign_inactive", "campaign_closed"}),
    ),
    Criterion(
        "campaign_dates", "Today is within the campaign's dates", frozenset({"campaign_not_started", "campaign_ended"})
    ),
    Criterion(
        "edition_active", "The edition is active and has content", frozenset({"edition_inactive", "content_missing"})
    ),
    Criterion(
        "edition_range",
        "Today is within the edition's range",
        frozenset({"edition_dates_missing", "edition_not_started", "edition_ended"}),
        frozenset[Role]({"scheduled"}),
    ),
    Criterion("edition_tested", "The edition was sent to a test member first", frozenset({"not_tested"})),
    Criterion("member_synced", "The member was synced with Predictive", frozenset({"not_a_member"})),
    Criterion("member_active", "The member is active", frozenset({"inactive"})),
    Criterion("member_free", "The member is not held", frozenset({"held"})),
    Criterion("member_real", "The member is no test member", frozenset({"test_member"})),
    Criterion("edition_allowed", "The edition is none that an opt-in skips", frozenset({"earlier_edition"})),
    Criterion("edition_new", "The edition was not mailed to the member before", frozenset({"already_mailed"})),
    Criterion("address_first", "No older member has the address", frozenset({"duplicate_email"})),
    Criterion("level_fits", "The member's level is the one that the edition is for", frozenset({"level"}), _ADAPTIVE),
    Criterion(
        "order_reached",
        "The editions before this one were sent, and none after it",
        frozenset({"order_passed", "order_waits"}),
        frozenset[Role]({"drip"}),
    ),
    Criterion(
        "delay_elapsed",
        "The days of delay have passed since the last mail, or since the member was added",
        frozenset({"delay"}),
        _ADAPTIVE | {"drip"},
    ),
    Criterion("hour_allowed", "The hour and the weekday are allowed", frozenset({"outside_hours", "wrong_weekday"})),
    Criterion("hourly_limit", "This hour's mails are not used up", frozenset({"hourly_limit"})),
    Criterion("address_present", "A company street address is set", frozenset({"address_missing"})),
)
"""Every condition in the order in which people ask for it. A breach that is in none of them is told by its own name."""


def edition_state(campaign: CampaignFacts, edition: EditionFacts, blocks: Sequence[Blocked]) -> State:
    """The one word for an edition: expired before active or blocked, then how far its preparation is."""
    if any(block.rule in ("campaign_ended", "edition_ended") for block in blocks):
        return "expired"
    if edition.active:
        return "blocked" if blocks else "active"
    if edition.activated or edition.sent:
        return "inactive"
    return "tested" if edition.tested and edition.has_content else "draft"


def overlapping(ranges: Iterable[tuple[date, date]], start: date, end: date) -> tuple[date, date] | None:
    """The first of the ranges that a new one touches: a start must be later than the previous end (5986)."""
    return next(((a, b) for a, b in ranges if start <= b and a <= end), None)


def next_status(statuses: Sequence[Status], status_on: StatusOn, current: str | None, event: int) -> str | None:
    """The status after reaching a level: only labels that exist, only forward, never back from responded."""
    target = _mapped(statuses, status_on, event)
    by_label = {status.label: status for status in statuses}
    if target is None or target not in by_label:
        return current
    if current is None or current not in by_label:
        return target
    here, there = by_label[current], by_label[target]
    if there.sort_order <= here.sort_order or (here.has_responded and not there.has_responded):
        return current
    return target


def _mapped(statuses: Sequence[Status], status_on: StatusOn, event: int) -> str | None:
    chosen = (status_on.sent, status_on.opened, status_on.clicked, status_on.completed)[event]
    if chosen is not None:
        return chosen
    if event == SENT:
        return default_status(statuses)
    if event == COMPLETED:
        responded = sorted((s for s in statuses if s.has_responded), key=lambda s: s.sort_order)
        return responded[0].label if responded else None
    return None


def default_status(statuses: Sequence[Status]) -> str | None:
    """The label that a new member gets."""
    return next((status.label for status in statuses if status.is_default), None)


def rank(reason: str | None) -> int:
    """How strongly a reason holds a member inactive; a stronger one replaces a weaker one, never the reverse."""
    if reason is None:
        return 0
    if reason == COMPLAINT:
        return 4
    if reason.startswith("Opt Out"):
        return 3
    return 1 if reason == NO_EMAIL else 2
