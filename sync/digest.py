"""Digests of values, so that "has it changed" is one comparison of short texts and never a comparison of rows.

Pure. A member's digest covers what the merge looks at and nothing else: of an org row the service-owned columns are
left out, so that the engine's own writes never look like a change by somebody in the org. Parts are separated by a
character that no text field can hold, and a missing value is another text than an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AbcMapping
from dataclasses import fields
from hashlib import blake2b

from sync.mapping import Mapping
from sync.model import Campaign, ClickThrough, Edition, HistoryHour, OrgMember, ServiceMember, TestPerson

# Unit separator and NUL. Salesforce keeps no control characters in names and addresses; should one come all the same,
# `_text` doubles it, so two different rows never give one text.
_SEP = "\x1f"
_NONE = "\x00"


def _text(value: str | None) -> str:
    if value is None:
        return _NONE
    if _SEP in value or _NONE in value:
        return value.replace(_NONE, _NONE + "0").replace(_SEP, _NONE + "1") + _NONE + "2"
    return value


def _hash(text: str) -> str:
    # "surrogatepass": half an emoji, cut by some other system, is data too and must not stop a run.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def org_digest(row: OrgMember) -> str:
    """Digest of what Salesforce says of a member: identity, names, e-mail, opt-out box, status, test flag."""
    return _hash(
        f"{row.member_id}{_SEP}{row.kind._value_}{_SEP}{_text(row.first_name)}{_SEP}{_text(row.last_name)}{_SEP}"
        f"{_text(row.email)}{_SEP}{_text(row.status)}{_SEP}{row.opted_out:d}{row.test_member:d}"
    )


def service_digest(row: ServiceMember) -> str:
    """Digest of what the service has of a member: all that it decides and all that was pushed to it."""
    return _hash(
        f"{_text(row.member_id)}{_SEP}{row.kind._value_}{_SEP}{_text(row.first_name)}{_SEP}{_text(row.last_name)}{_SEP}"
        f"{_text(row.email)}{_SEP}{_text(row.status)}{_SEP}{_text(row.level)}{_SEP}{_text(row.reason)}{_SEP}"
        f"{_text(row.hold)}{_SEP}{row.active:d}{row.test_member:d}{row.opted_out:d}{_SEP}"
        f"{row.opens}{_SEP}{row.clicks}{_SEP}{row.completions}{_SEP}{row.bounces}"
    )


def _join(parts: Iterable[object]) -> str:
    return _hash(_SEP.join(_text(None if part is None else str(part)) for part in parts))


def header_digest(campaign: Campaign, time_zone: str, status_on: AbcMapping[str, str]) -> str:
    """Digest of the header as it is pushed to the service, status labels included; counts and stamps are left out.

    Args:
        campaign: the header.
        time_zone: the org's, by which the service knows the campaign's days.
        status_on: the labels that levels set, by configuration.
    """
    parts: list[object] = [
        campaign.id,
        campaign.name,
        campaign.type.value if campaign.type else None,
        campaign.is_active,
        campaign.status,
        campaign.start_date,
        campaign.end_date,
        campaign.is_deleted,
    ]
    for label in sorted(campaign.labels, key=lambda each: (each.sort_order, each.label)):
        parts += [label.label, label.is_default, label.has_responded, label.sort_order]
    parts.append(time_zone)
    for item in sorted(status_on.items()):
        parts += item
    return _join(parts)


def edition_digest(edition: Edition) -> str:
    """Digest of what the org's edition row shows: name, subject, active, dates, delay and statistics."""
    stats = edition.stats
    return _join(
        (
            edition.name,
            edition.subject,
            edition.active,
            edition.start_date,
            edition.end_date,
            edition.days_delay,
            stats.sent,
            stats.delivered,
            stats.opened,
            stats.clicked,
            stats.completed,
            stats.bounced,
            stats.opted_out,
        )
    )


def click_digest(click: ClickThrough) -> str:
    """Digest of a click-through row."""
    return _join((click.edition_id, click.url, click.hits, click.completion))


def history_digest(hour: HistoryHour) -> str:
    """Digest of an e-mail history row."""
    return _join((hour.edition_id, hour.subject, hour.day, hour.hour, hour.count))


def test_people_digest(people: Iterable[TestPerson]) -> str:
    """Digest of the org's global test members, whatever their order."""
    parts: list[object] = []
    for person in sorted(people, key=lambda each: each.person_id):
        parts += [person.person_id, person.kind.value, person.first_name, person.last_name, person.email]
    return _join(parts)


def mapping_digest(mapping: Mapping) -> str:
    """Digest of a mapping; a saved plan is refused when the mapping is another one by now."""
    return _join(part for item in fields(mapping) for part in (item.name, getattr(mapping, item.name)))
