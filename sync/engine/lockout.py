"""The lock-out: what is so wrong with a campaign that only a person may let it go on, and how a person does.

Imports the store and values. Critical is a short closed list; whatever else goes wrong ends a run and locks nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from sync.engine.claims import Claims
from sync.engine.gate import check_writable
from sync.engine.live import LiveRun, start
from sync.engine.parts import Parts
from sync.errors import Locked, PredictiveError, RemoteRejected, UsageError
from sync.ids import CampaignId
from sync.model import Campaign, RunKind, RunState, Side
from sync.plan import Change, PlanCounts, Subject
from sync.store.facts import ORG_ID, SERVICE_CURSOR, SERVICE_ID
from sync.store.journal import JournalRow
from sync.story import Unlocked
from sync.words import plural

KEY_REUSED = "idempotency_key_reused"
"""The service's code for a key that it knows from another request."""


class Critical(StrEnum):
    """Every reason for a lock-out."""

    COUNTS = "counts"
    """After a sync the counts of both sides differ and nothing listed explains it, not even on a second look."""

    IDEMPOTENCY = "idempotency"
    """The service's record of a request contradicts the request."""

    CLAIMED_TWICE = "claimed-twice"
    """Two persons claim one member row."""

    OTHER_ORG = "other-org"
    """Under the same configuration another org answers."""

    OTHER_RECORD = "other-record"
    """An answer shows that a write landed on another record."""

    OTHER_SERVICE = "other-service"
    """Under the same configuration another service answers."""


class Inconsistent(Locked):
    """A critical inconsistency: the campaigns are locked until a person lifts it.

    Args:
        rule: which of the list.
        what: what was found, with figures and records.
        campaign_ids: the campaigns concerned; empty for every campaign of the run.
    """

    def __init__(self, rule: Critical, what: str, campaign_ids: Collection[CampaignId] = ()) -> None:
        super().__init__(
            what,
            where=f"critical: {rule.value}",
            left_undone="the campaign is locked; what was written before is in the journal",
            remedy="look into it, then 'predictive runs unlock CAMPAIGN --reason TEXT'",
        )
        self.rule = rule
        self.campaign_ids = tuple(campaign_ids)


def lock_out(live: LiveRun, error: Inconsistent, campaign_ids: Collection[CampaignId]) -> None:
    """Lock campaigns for *error*, journalled in one transaction with the locks."""
    store = live.parts.store
    with store.transaction():
        first = live.number_rows(len(campaign_ids))
        rows = []
        for index, campaign_id in enumerate(sorted(campaign_ids)):
            record = store.campaigns.get(campaign_id)
            store.campaigns.lock(campaign_id, error.what, error.rule.value)
            name = record.campaign.name if record is not None else campaign_id
            rows.append(_row(first + index, campaign_id, name, None, error.what, error.rule.value))
        store.journal.record_outcome(live.lease, live.next_batch(), rows)
    for campaign_id in sorted(campaign_ids):
        live.note(f"locked: {error.what}", level="error", campaign_id=campaign_id)


def as_critical(error: PredictiveError, campaign_ids: Collection[CampaignId] = ()) -> Inconsistent | None:
    """*error* as a critical one, None when it is none. What it concerns is its own, or else *campaign_ids*."""
    if isinstance(error, Inconsistent):
        return error if error.campaign_ids else Inconsistent(error.rule, error.what, campaign_ids)
    if isinstance(error, RemoteRejected) and error.code == KEY_REUSED:
        what = f"Predictive has another request on record for a key that only this one was sent with: {error.what}"
        return Inconsistent(Critical.IDEMPOTENCY, what, campaign_ids)
    return None


def set_apart(claims: Claims, campaign_ids: Collection[CampaignId]) -> None:
    """Lock the campaigns in which two persons claim one member row, and leave them out of the run.

    Raises:
        Inconsistent: it is the run's only campaign.
    """
    store = claims.live.parts.store
    members = store.members
    # Where nothing has landed since both sides were found in step, no row has moved that could be claimed.
    for campaign_id in store.campaigns.touched(campaign_ids):
        for member_id, one, other in members.claimed_twice(campaign_id)[:1]:
            name = claims.names.get(campaign_id, campaign_id)
            what = f"{name}: the member row {member_id} is claimed by two persons in Predictive, {one} and {other}"
            error = Inconsistent(Critical.CLAIMED_TWICE, what, (campaign_id,))
            if claims.single:
                raise error
            lock_out(claims.live, error, (campaign_id,))
            claims.skip(campaign_id, name, f"locked: {what}")


def check_org(parts: Parts) -> None:
    """Hold the org that answers against the one that this state is of; costs no call.

    Raises:
        Inconsistent: it is another one.
    """
    known, seen = parts.store.facts.get(ORG_ID), parts.org.seen_org_id()
    if known and seen and known != seen:
        raise Inconsistent(Critical.OTHER_ORG, f"the org that answers is {seen}; this state was made with {known}")


def check_service(parts: Parts) -> None:
    """Hold the service that answers against the one that this state is of; one request.

    Raises:
        Inconsistent: it is another one.
    """
    known, seen = parts.store.facts.get(SERVICE_ID), parts.service.identity().service_id
    if known and known != seen:
        raise Inconsistent(
            Critical.OTHER_SERVICE, f"the Predictive service that answers is {seen}; this state was made with {known}"
        )


def check_answers(asked: Iterable[tuple[str, str | None, str]]) -> None:
    """Hold the record that each write named against the one that the answer names: (campaign, asked, answered).

    Raises:
        Inconsistent: a write landed on another record.
    """
    wrong = [(campaign, one, other) for campaign, one, other in asked if one != other]
    if wrong:
        _, one, other = wrong[0]
        raise Inconsistent(
            Critical.OTHER_RECORD,
            f"a write to {one} was answered as one to {other}; "
            f"{plural(len(wrong), 'row of its batch is', 'rows of its batch are')} like that",
            [CampaignId(each) for each in dict.fromkeys(campaign for campaign, _, _ in wrong) if each],
        )


def unlock(parts: Parts, campaign: Campaign, reason: str) -> Unlocked:
    """Lift a campaign's lock-out.

    Who lifts a lock about another org or service accepts it as the one that is meant: it is asked for its identity
    anew, and what was read of it before is read again.

    Raises:
        UsageError: no reason, or the campaign is not locked. Refused: read-only.
    """
    check_writable(parts)
    reason = reason.strip()
    if not reason:
        raise UsageError(
            "a lock-out is lifted only with a reason",
            left_undone="the campaign stays locked",
            remedy="add --reason TEXT; the journal keeps it",
        )
    store = parts.store
    record = store.campaigns.get(campaign.id)
    if record is None or record.locked is None:
        raise UsageError(f"{campaign.name} is not locked", left_undone="nothing was changed")
    live = start(parts, RunKind.UNLOCK, campaign_id=campaign.id, campaign_name=campaign.name, exclusive=False)
    with store.transaction():
        row = _row(
            live.number_rows(1), campaign.id, campaign.name, record.locked, None, record.locked_rule or "", reason
        )
        store.journal.record_outcome(live.lease, live.next_batch(), [row])
        store.campaigns.unlock(campaign.id)
        if record.locked_rule == Critical.OTHER_ORG:
            store.facts.set(ORG_ID, None)
        if record.locked_rule == Critical.OTHER_SERVICE:
            store.facts.set(SERVICE_ID, None)
            store.facts.set(SERVICE_CURSOR, None)
    live.note(f"unlocked: {reason}. It was locked because: {record.locked}", campaign_id=campaign.id)
    live.end(RunState.DONE, PlanCounts())
    return Unlocked(live.run, campaign.id, campaign.name, record.locked, record.locked_at)


def _row(
    seq: int,
    campaign_id: CampaignId,
    name: str,
    before: str | None,
    after: str | None,
    rule: str,
    reason: str = "",
) -> JournalRow:
    return JournalRow(
        seq=seq,
        side=Side.PREDICTIVE,
        campaign_id=campaign_id,
        subject=Subject.CAMPAIGN,
        subject_id=campaign_id,
        label=name,
        change=Change.LOCK,
        field="locked",
        before=before,
        after=after,
        state="written",
        message=reason,
        reason=reason or (after or ""),
        rule=rule,
    )
