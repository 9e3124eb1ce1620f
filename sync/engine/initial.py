"""New Edition: preconditions all at once, members to the service, editions made there once, their rows in the org.

Imports the engine's steps. The operation's key is kept in the store before the service is asked for editions, so that
a click after a broken one resumes it, and only a click after one that ended makes new editions.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sync.engine import content
from sync.engine.apply_service import Applying
from sync.engine.claims import open_claims
from sync.engine.gate import Choice, check_writable
from sync.engine.live import LiveRun
from sync.engine.parts import Parts
from sync.engine.sync_run import plan_and_apply, read_both, run_to_end
from sync.errors import NotWhatItShouldBe, Refused
from sync.ids import CampaignId, EditionId
from sync.model import Calls, Campaign, CampaignType, Edition, RunKind, RunState
from sync.plan import Subject
from sync.views import RunResult

_ROLES = {
    CampaignType.ADAPTIVE: ("Initial", "Not Opened", "Not Clicked", "Not Complete", "Complete"),
    CampaignType.SCHEDULED: ("Scheduled",),
    CampaignType.DRIP: ("Drip",),
}


def new_edition(parts: Parts, campaign_id: CampaignId, name: str, choice: Choice) -> RunResult:
    """Do New Edition for one campaign.

    Raises:
        Refused: the org is read-only. Missing preconditions end the run as refused, with the whole list.
        Locked: another live run has the campaign.
    """
    choice.check()
    check_writable(parts)
    claims = open_claims(parts, RunKind.INITIAL, {campaign_id: name}, cancel=choice.cancel)
    live = claims.live

    def work() -> None:
        reading = read_both(live, claims.held, choice)
        campaign = reading.headers.get(campaign_id)
        check_preconditions(live, campaign, name)
        assert campaign is not None
        expected = _expected(parts, campaign) if parts.mapping.has_editions else []
        resumed = _operation(parts, campaign_id)
        made: list[int] = []

        def between(applying: Applying) -> Sequence[content.Pair]:
            return _make_editions(applying, campaign_id, resumed, made)

        plan_and_apply(
            claims,
            reading,
            choice,
            RunKind.INITIAL,
            between=between,
            extra=Calls(0, 1 + len(expected)),
            further=[content.edition_pair(edition, parts.mapping) for edition in expected],
        )
        _name_editions(live, campaign_id)
        ended = claims.ended.get(campaign_id)
        if ended is not None and ended.state in (RunState.DONE, RunState.NOTHING_TO_DO, RunState.PARTIAL):
            live.with_end(lambda: _started(parts, campaign_id))

    return run_to_end(claims, work)


def _started(parts: Parts, campaign_id: CampaignId) -> None:
    """The click is over: the next one is a new one."""
    parts.store.campaigns.set_started(campaign_id)
    parts.store.campaigns.set_operation(campaign_id, None)
    parts.store.campaigns.set_reconciled((campaign_id,), parts.clock.now())


def check_preconditions(live: LiveRun, campaign: Campaign | None, name: str) -> None:
    """Everything that New Edition needs, told all at once.

    Raises:
        Refused: with the list of what is missing.
    """
    if campaign is None or campaign.is_deleted:
        raise Refused(f"{name}: Salesforce does not show this campaign", rule="preconditions")
    missing = []
    if not campaign.name.strip():
        missing.append("a name")
    if not campaign.is_active:
        missing.append("Active is not ticked")
    if campaign.start_date is None:
        missing.append("a start date")
    if campaign.end_date is None:
        missing.append("an end date")
    if campaign.start_date and campaign.end_date and campaign.end_date < campaign.start_date:
        missing.append("an end date that is not before the start date")
    if campaign.type is None:
        missing.append(f"a type: Adaptive, Scheduled or Drip (it is {campaign.type_label or 'empty'})")
    if not campaign.labels:
        missing.append("at least one member status")
    before = live.calls().salesforce
    live.about_to(salesforce=1)
    wrong = live.parts.org.describe_check(afresh=False)
    live.least += live.calls().salesforce - before
    missing += [f"field access: {name} {what}" for name, what in wrong]
    if missing:
        raise Refused(
            f"{campaign.name} is not ready for New Edition: {'; '.join(missing)}",
            rule="preconditions",
            where=campaign.id,
            remedy="complete it in Salesforce, then click again",
        )


def _operation(parts: Parts, campaign_id: CampaignId) -> str:
    """The key of this click: the one of an unfinished click, or a new one, kept before anything is asked."""
    record = parts.store.campaigns.get(campaign_id)
    if record is not None and record.operation:
        return record.operation
    operation = f"new-edition-{uuid4().hex[:16]}"
    parts.store.campaigns.set_operation(campaign_id, operation)
    return operation


def _expected(parts: Parts, campaign: Campaign) -> list[Edition]:
    """Editions whose rows the org will need, as far as it is known before they are made; for the cost only."""
    there = parts.store.content.editions(campaign.id)
    if campaign.type is None or (campaign.type is CampaignType.ADAPTIVE and there):
        return list(parts.store.content.pending_editions((campaign.id,)))
    return [
        Edition(EditionId(f"expected-{slot}"), campaign.id, slot, role, role, None, active=False, state="draft")
        for slot, role in enumerate(_ROLES[campaign.type], len(there) + 1)
    ]


def _make_editions(
    applying: Applying, campaign_id: CampaignId, operation: str, made: list[int]
) -> Sequence[content.Pair]:
    """Ask the service for the editions of this click; the org's rows that are due for them."""
    live = applying.live
    parts = live.parts
    if applying.of(campaign_id).error is not None or campaign_id not in applying.campaigns:
        return ()
    editions, created = parts.service.create_editions(campaign_id, operation)
    parts.store.content.land_editions(editions)
    made.append(created)
    applying.of(campaign_id).editions_created = created
    campaign = applying.campaigns[campaign_id]
    if campaign.type is CampaignType.ADAPTIVE and not len(parts.store.content.editions(campaign_id)) >= 5:
        raise NotWhatItShouldBe(
            f"{campaign.name}: the service made {len(editions)} of five editions",
            left_undone="the campaign is not started",
            remedy="click New Edition again; it is resumed, nothing is made twice",
        )
    if not parts.mapping.has_editions:
        return ()
    return [content.edition_pair(edition, parts.mapping) for edition in _due(parts, campaign_id)]


def _due(parts: Parts, campaign_id: CampaignId) -> tuple[Edition, ...]:
    return parts.store.content.pending_editions((campaign_id,))


def _name_editions(live: LiveRun, campaign_id: CampaignId) -> None:
    """Tell the service the org's ids of its editions."""
    parts = live.parts
    editions = parts.store.content.editions(campaign_id)
    ids = parts.store.content.salesforce_ids(Subject.EDITION, [edition.id for edition in editions])
    told = parts.store.facts.get(f"named:{campaign_id}") or ""
    known = set(told.split())
    for edition in editions:
        record_id = ids.get(edition.id)
        if record_id and edition.id not in known:
            fresh = parts.service.patch_edition(
                edition.id, {"salesforce_id": record_id}, key=f"{edition.id}:{record_id}"
            )
            parts.store.content.land_editions((fresh,))
            known.add(edition.id)
            parts.store.facts.set(f"named:{campaign_id}", " ".join(sorted(known)))
