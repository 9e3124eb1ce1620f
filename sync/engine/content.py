"""Editions, click-throughs and e-mail history: what the service owns and the org's objects show.

Imports model, mapping, plan and the store. Rows are written by the org's record id where it is known, else upserted by
the external id, which is the service's own id; so that a repeat can never make a second row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.digest import click_digest, edition_digest, history_digest
from sync.engine.parts import Parts
from sync.ids import CampaignId
from sync.mapping import Mapping as Names
from sync.model import ClickThrough, Edition, HistoryHour, Side
from sync.plan import Change, PlanRow, Subject
from sync.ports import OrgOperation, OrgWrite
from sync.words import plural

_STATS = ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")

Pair = tuple[PlanRow, OrgWrite]

NAME_LENGTH, TEXT_LENGTH = 80, 255
"""What the platform gives a record's name, and at most a Text or a Url field."""


def fitted(text: str | None, most: int = TEXT_LENGTH) -> str | None:
    """*text* as a field of the org takes it, cut where it is longer; counted as the org counts, in UTF-16.

    A row refused for one long text would keep its figures from the org, hour after hour.
    """
    if text is None or len(text) * 2 <= most:
        return text
    return text.encode("utf-16-le")[: most * 2].decode("utf-16-le", "ignore")


def rows(parts: Parts, campaign_id: CampaignId) -> Iterator[Pair]:
    """What of a campaign's content the org does not have yet: editions first, then what belongs to them."""
    names = parts.mapping
    content = parts.store.content
    if names.has_editions:
        for edition in content.pending_editions((campaign_id,)):
            yield edition_pair(edition, names)
    known = {edition.id: edition.salesforce_id for edition in content.editions(campaign_id)}
    if names.click_through and names.click_external_id:
        clicks = content.pending_clicks((campaign_id,))
        ids = content.salesforce_ids(Subject.CLICK_THROUGH, [click.id for click in clicks])
        for click in clicks:
            yield _click_pair(click, names, ids.get(click.id), known.get(click.edition_id))
    if names.history and names.history_external_id:
        hours = content.pending_history((campaign_id,))
        ids = content.salesforce_ids(Subject.HISTORY, [hour.id for hour in hours])
        for hour in hours:
            yield _history_pair(hour, names, ids.get(hour.id), known.get(hour.edition_id))


def edition_pair(edition: Edition, names: Names) -> Pair:
    """The org's row of an edition."""
    values: dict[str, Any] = {
        "Name": fitted(edition.name, NAME_LENGTH),
        names.edition_subject: fitted(edition.subject),
        names.edition_active: edition.active,
        names.edition_start_date: edition.start_date,
        names.edition_end_date: edition.end_date,
        names.edition_days_delay: edition.days_delay,
    }
    values |= {getattr(names, f"edition_{name}"): getattr(edition.stats, name) for name in _STATS}
    target = _Target(names.edition, names.edition_external_id, edition.salesforce_id, edition_digest(edition))
    return _pair(
        edition.campaign_id,
        Subject.EDITION,
        edition.id,
        edition.name,
        f"{edition.stats.sent} sent, {edition.stats.opened} opened",
        target.values(values, {names.edition_campaign: edition.campaign_id}),
    )


def _click_pair(click: ClickThrough, names: Names, record_id: str | None, edition: str | None) -> Pair:
    values = {
        names.click_url: fitted(click.url),
        names.click_hits: click.hits,
        names.click_completion: click.completion,
    }
    target = _Target(names.click_through, names.click_external_id, record_id, click_digest(click))
    return _pair(
        click.campaign_id,
        Subject.CLICK_THROUGH,
        click.id,
        click.url,
        plural(click.hits, "hit"),
        target.values(values, {names.click_campaign: click.campaign_id, names.click_edition: edition}),
    )


def _history_pair(hour: HistoryHour, names: Names, record_id: str | None, edition: str | None) -> Pair:
    values = {
        names.history_subject: fitted(hour.subject),
        names.history_count: hour.count,
        names.history_date: hour.day,
        names.history_hour: hour.hour,
    }
    target = _Target(names.history, names.history_external_id, record_id, history_digest(hour))
    return _pair(
        hour.campaign_id,
        Subject.HISTORY,
        hour.id,
        f"{hour.day} {hour.hour}:00 {hour.subject or ''}".strip(),
        plural(hour.count, "e-mail"),
        target.values(values, {names.history_campaign: hour.campaign_id, names.history_edition: edition}),
    )


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a row of content goes: object, external id field, record id where it is known, digest of the value."""

    sobject: str
    external: str
    record_id: str | None
    digest: str

    def values(self, fields: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
        """What the plan row carries. A parent cannot be changed, so it is given on creation only."""
        named = {name: value for name, value in fields.items() if name}
        if not self.record_id:
            named |= {name: value for name, value in parent.items() if name and value}
        return {
            "sobject": self.sobject,
            "external": self.external,
            "record_id": self.record_id,
            "digest": self.digest,
            "fields": named,
        }


_CHANGES = {
    Subject.EDITION: (Change.EDITION, "edition"),
    Subject.CLICK_THROUGH: (Change.CLICK_THROUGH, "click_through"),
    Subject.HISTORY: (Change.HISTORY, "history"),
}


def _pair(
    campaign_id: CampaignId, subject: Subject, subject_id: str, label: str, after: str, values: Mapping[str, Any]
) -> Pair:
    change, field = _CHANGES[subject]
    row = PlanRow(
        seq=0,
        side=Side.SALESFORCE,
        campaign_id=campaign_id,
        subject=subject,
        subject_id=subject_id,
        label=label,
        change=change,
        field=field,
        before=None,
        after=after,
        reason="statistics and content of Predictive",
        rule="predictive-owns",
        values=values,
    )
    return row, write_of(row)


def is_content(row: PlanRow) -> bool:
    """True for rows about an edition, a click-through or an hour of e-mail history."""
    return row.subject in _CHANGES


def write_of(row: PlanRow) -> OrgWrite:
    """The write of a content row: an update by id, or an upsert by external id."""
    record_id = row.values["record_id"]
    return OrgWrite(
        key=f"{row.subject.value}|{row.subject_id}",
        sobject=row.values["sobject"],
        operation=OrgOperation.UPDATE if record_id else OrgOperation.UPSERT,
        values=row.values["fields"],
        campaign_id=row.campaign_id,
        record_id=record_id,
        external_field=None if record_id else row.values["external"],
        external_id=None if record_id else row.subject_id,
    )
