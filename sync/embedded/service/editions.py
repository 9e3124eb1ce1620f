"""Editions: created by campaign type, edited, with their state and what blocks them.

Adaptive has five, once; Scheduled and Drip one for each operation (domain 2.1). Runs inside a unit of work.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

from msgspec import UNSET

from sync.embedded.service import bodies, rules, wire
from sync.embedded.service.eml import check_template
from sync.embedded.service.problems import conflict, invalid
from sync.embedded.service.records import CampaignRow, EditionState
from sync.embedded.service.work import Work

_TEXTS = ("name", "subject", "html", "text", "salesforce_id")
_NUMBERS = ("days_delay", "not_before", "not_after")


def create(work: Work, campaign: CampaignRow, operation: str) -> tuple[list[EditionState], int]:
    """The editions of an operation, made when they are not there; and how many are new."""
    present = work.editions_of(campaign.campaign_id)
    if campaign.type == "adaptive":
        if present:
            return present, 0
        planned = list(zip(rules.ADAPTIVE_ROLES, rules.ADAPTIVE_NAMES, strict=True))
    else:
        same = [edition for edition in present if edition.operation == operation]
        if same:
            return same, 0
        number = len(present) + 1
        role: wire.Role = "scheduled" if campaign.type == "scheduled" else "drip"
        planned = [(role, f"{role.capitalize()} {number}")]
    slot = max((edition.slot for edition in present), default=0)
    made = []
    for step, (role, name) in enumerate(planned, 1):
        edition = EditionState(
            edition_id=_edition_id(campaign.campaign_id, operation, slot + step),
            campaign_id=campaign.campaign_id, operation=operation, slot=slot + step, role=role, name=name,
            subject=None, html=None, text=None, active=False, start_date=None, end_date=None,
            days_delay=None if role == "scheduled" else 0, not_before=None, not_after=None, weekdays=None,
            tested_at=None, salesforce_id=None, activated=False, version=1, created=work.at,
        )  # fmt: skip
        work.add_edition(edition)
        made.append(edition)
    return made, len(made)


def _edition_id(campaign_id: str, operation: str, slot: int) -> str:
    key = f"{campaign_id}\n{operation}\n{slot}".encode()
    return f"ed_{hashlib.sha256(key).hexdigest()[:16]}"


def patch(work: Work, edition: EditionState, body: bodies.EditionPatch) -> None:
    """Change an edition. Raises Problem 409 (version_conflict, overlapping_ranges, content_missing) or 422."""
    if body.if_version is not None and body.if_version != edition.version:
        raise conflict("version_conflict", f"The edition has version {edition.version}, not {body.if_version}.")
    before = [getattr(edition, name) for name in EditionState.__struct_fields__]
    for name in (*_TEXTS, *_NUMBERS):
        value = getattr(body, name)
        if value is not UNSET:
            setattr(edition, name, value)
    for name in ("start_date", "end_date"):
        value = getattr(body, name)
        if value is not UNSET:
            setattr(edition, name, value.isoformat() if isinstance(value, date) else None)
    if body.weekdays is not UNSET:
        edition.weekdays = None if body.weekdays is None else json.dumps(sorted(set(body.weekdays)))
    if body.active is not UNSET:
        edition.active = body.active
    _check(work, edition, body)
    edition.activated = edition.activated or edition.active
    if [getattr(edition, name) for name in EditionState.__struct_fields__] != before:
        edition.version += 1


def _check(work: Work, edition: EditionState, body: bodies.EditionPatch) -> None:
    if edition.not_before is not None and edition.not_before == edition.not_after:
        raise invalid("/not_after", "the window from not_before to not_after is empty")
    if edition.weekdays == "[]":
        raise invalid("/weekdays", "at least one weekday is needed; null is every day")
    if edition.role == "scheduled":
        if edition.days_delay:
            raise invalid("/days_delay", "a Scheduled edition has dates, not a delay")
        if edition.start_date and edition.end_date:
            _check_range(work, edition, date.fromisoformat(edition.start_date), date.fromisoformat(edition.end_date))
    elif edition.start_date or edition.end_date:
        pointer = "/start_date" if edition.start_date else "/end_date"
        raise invalid(pointer, "Adaptive and Drip editions have the campaign's dates")
    for name in ("subject", "html", "text"):
        wrong = check_template(getattr(edition, name)) if getattr(body, name) is not UNSET else None
        if wrong:
            raise invalid(f"/{name}", f"the merge fields cannot be read: {wrong}")
    if edition.active and not edition.has_content:
        if body.active is True:
            raise conflict("content_missing", "An edition needs a subject and HTML before it can be active.")
        raise conflict("content_missing", "An active edition cannot be without subject or HTML; deactivate it first.")


def _check_range(work: Work, edition: EditionState, start: date, end: date) -> None:
    if end < start:
        raise invalid("/end_date", "the end date is before the start date")
    others = [
        (date.fromisoformat(other.start_date), date.fromisoformat(other.end_date))
        for other in work.editions_of(edition.campaign_id)
        if other.edition_id != edition.edition_id and other.start_date and other.end_date
    ]
    clash = rules.overlapping(others, start, end)
    if clash:
        raise conflict(
            "overlapping_ranges",
            f"The range overlaps that of another edition ({clash[0]} to {clash[1]}); "
            "a start must be later than the previous end.",
        )
