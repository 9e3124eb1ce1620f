"""The hourly batch: safety first, then mail, then what the service decided goes to the org.

Imports the engine's steps. One call for all headers and new opt-outs comes before anything is sent, so that nobody is
mailed against the org's present state. Sending is two-phase: prepare a frozen list, let the flood guard look at it,
release it with its count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync.budget import Gear
from sync.engine.apply_service import Applying, write_header, write_members
from sync.engine.claims import Claims, Ended, open_claims
from sync.engine.confirm import confirm
from sync.engine.feed import follow, read_service
from sync.engine.gate import Choice, check_writable, decide
from sync.engine.governor import shift
from sync.engine.live import LiveRun, overlap
from sync.engine.lockout import check_org, set_apart
from sync.engine.parts import Parts
from sync.engine.planning import Wanted, header_row
from sync.engine.reading import read_campaigns
from sync.engine.reconcile import reconcile
from sync.engine.sync_run import apply_plan, draw_plan, refusal, run_to_end
from sync.engine.tally import Done
from sync.engine.ticks import follow_people
from sync.errors import PredictiveError, Refused, RemoteRejected
from sync.events import Phase
from sync.guard import BUDGET, CampaignFigures, judge_plan
from sync.ids import CampaignId, EditionId, MemberId, PersonId
from sync.model import Campaign, CampaignState, PersonOptOut, RunKind, RunState, Side
from sync.plan import CampaignPlan, Change, Cost, GuardVerdict, Plan, PlanCounts, PlanRow, Subject
from sync.ports import Headers, Prepared, PreparedItem
from sync.rules import Rule
from sync.store.facts import HEADER_PUSHED, OPT_OUTS_SINCE
from sync.views import RunResult
from sync.words import plural

LATE_ACTIVITY = timedelta(days=30)
"""Activity of a closed campaign is pulled for so long after its end."""


@dataclass(slots=True)
class Hour:
    """The hourly run while it works.

    ``first`` is what was done before anything was sent. ``headers`` are the campaigns in scope as the org has them
    now; ``late`` those closed too long ago for anything but opt-outs; ``refused`` those whose mails the flood guard
    held back; ``stale`` those whose header the service refused: it would decide by the old one, so nothing is mailed.
    """

    claims: Claims
    headers: dict[CampaignId, Campaign] = field(default_factory=dict)
    late: set[CampaignId] = field(default_factory=set)
    stale: set[CampaignId] = field(default_factory=set)
    refused: dict[CampaignId, tuple[GuardVerdict, ...]] = field(default_factory=dict)
    at: datetime | None = None
    released: int = 0
    sent: int = 0
    unknown: int = 0
    first: dict[str, Done] = field(default_factory=dict)

    def count(self, *, due: Sequence[PreparedItem], sent: Sequence[tuple[CampaignId, EditionId, int]] = ()) -> None:
        """Say of each campaign how many of its mails were released and sent."""
        mails: dict[CampaignId, PlanCounts] = {}
        for item in due:
            known = mails.get(item.campaign_id, PlanCounts())
            mails[item.campaign_id] = known + PlanCounts(mails_released=item.count)
        for campaign_id, _, count in sent:
            mails[campaign_id] = mails.get(campaign_id, PlanCounts()) + PlanCounts(mails_sent=count)
        self.claims.mails = mails

    @property
    def did_something(self) -> bool:
        """True once mails were handed over, or headers or opt-outs were written to the service."""
        return bool(self.released) or any(done.predictive_rows for done in self.first.values())


class HalfDone(PredictiveError):
    """A guard or the budget refused the rest of a run that had done something: the run ends partial."""

    exit_code = 4


def hourly(parts: Parts, choice: Choice) -> RunResult:
    """The hourly batch.

    Raises:
        Refused: read-only. Locked: another batch is alive.
    """
    choice.check()
    check_writable(parts)
    claims = open_claims(parts, RunKind.HOURLY, {}, cancel=choice.cancel, batch=True)

    def work() -> None:
        hour = Hour(claims)
        live = claims.live
        unanswered = reconcile(live)
        for record in parts.store.campaigns.all():
            if not record.started:
                continue
            if record.paused or record.locked:
                claims.skip(record.campaign.id, record.campaign.name, record.locked or record.paused or "")
            else:
                claims.claim(record.campaign.id, record.campaign.name)
        if unanswered:
            read_campaigns(live, claims.held)
        read_service(live, claims.held)
        confirm(live, claims.held, org_was_read=False)
        set_apart(claims, claims.held)
        if claims.held:
            read_headers(hour)
            try:
                _safety_first(hour)
            finally:
                claims.early = dict(hour.first)
        try:
            _mail_and_write(hour, choice)
        except Refused as error:
            if not hour.did_something:
                raise
            raise _left_off(hour, error) from error

    return run_to_end(claims, work)


def _mail_and_write(hour: Hour, choice: Choice) -> None:
    try:
        _send(hour, choice)
    finally:
        hour.claims.extra = PlanCounts(mails_unknown=hour.unknown)
    if hour.claims.held:
        follow(hour.claims.live)
    if hour.claims.held or hour.claims.live.parts.store.people.to_tick():
        _write(hour, choice)
        follow_people(hour.claims.live)
    else:
        hour.claims.foresee_nothing_more()


def _left_off(hour: Hour, error: Refused) -> HalfDone:
    """A refusal after mails were released or Predictive was written: what was done stands, and the run says so."""
    mails = (
        f"{hour.sent:,} of {plural(hour.released, 'mail was', 'mails were')} sent"
        if hour.released
        else "no mail was sent"
    )
    return HalfDone(
        f"{mails}, then the rest of the run was refused: {error.what}",
        left_undone="levels, reasons, statuses and statistics were not written to Salesforce",
        remedy=error.remedy or "they are kept, and the next hourly run that is let through writes them",
    )


def read_headers(hour: Hour) -> None:
    """One call: headers as they are now, and people newly opted out."""
    live = hour.claims.live
    parts = live.parts
    since = _opt_outs_since(hour)
    live.about_to(salesforce=1)
    with live.phase(Phase.READ_SALESFORCE) as done:
        answer = parts.org.headers(hour.claims.held, overlap(since) if since else None)
        check_org(parts)
        parts.note_org_time(answer.server_time)
        live.least += 1
        done[0] = len(answer.campaigns) + len(answer.opted_out)
    take_headers(hour, answer)
    with parts.store.transaction():
        parts.store.campaigns.land(answer.campaigns.values())
        parts.store.people.land_org_optouts((*answer.opted_out, *_known_as_others(parts, answer)))
        parts.store.facts.set(OPT_OUTS_SINCE, answer.server_time.isoformat())


def _known_as_others(parts: Parts, answer: Headers) -> Iterator[PersonOptOut]:
    """People under whom the service has members that by now are somebody else's, who is opted out: until the conversion
    or the merge is carried over they would be mailed."""
    by_campaign: dict[CampaignId, dict[MemberId, PersonId]] = {}
    for key in answer.members:
        by_campaign.setdefault(key.campaign_id, {})[key.member_id] = key.person_id
    for campaign_id, rows in by_campaign.items():
        known = parts.store.members.service_rows(campaign_id, tuple(rows.values()))
        strange = [member_id for member_id, person_id in rows.items() if person_id not in known]
        for row in parts.store.members.service_by_member(campaign_id, strange).values():
            yield PersonOptOut(row.person_id, True, answer.server_time)


def _opt_outs_since(hour: Hour) -> datetime | None:
    """Since when new opt-outs are asked for: the last hourly call, or else the oldest read of members."""
    store = hour.claims.live.parts.store
    known = store.facts.get(OPT_OUTS_SINCE)
    if known:
        return datetime.fromisoformat(known)
    records = (store.campaigns.get(campaign_id) for campaign_id in hour.claims.held)
    return min((record.watermark for record in records if record and record.watermark), default=None)


def take_headers(hour: Hour, answer: Headers) -> None:
    """Sort the campaigns by the headers just read; one that is gone counts as inactive and deleted."""
    parts = hour.claims.live.parts
    hour.at = answer.server_time
    today = parts.today(answer.server_time)
    hour.headers = dict(answer.campaigns)
    for campaign_id in answer.missing:
        record = parts.store.campaigns.get(campaign_id)
        if record is not None:
            hour.headers[campaign_id] = replace(record.campaign, is_deleted=True, is_active=False)
    for campaign_id, campaign in hour.headers.items():
        ended = campaign.end_date
        closed = campaign.state(today) is CampaignState.CLOSED
        # The member rows of a deleted campaign cannot be written; they come back with it.
        if campaign.is_deleted or (closed and ended is not None and ended < today - LATE_ACTIVITY):
            hour.late.add(campaign_id)


def _safety_first(hour: Hour) -> None:
    """Before anything is sent: changed headers and new opt-outs go to the service."""
    live = hour.claims.live
    parts = live.parts
    held = {key: value for key, value in hour.headers.items() if key in hour.claims.held}
    applying = Applying(live, "", held, done=hour.first)
    for campaign_id, campaign in sorted(held.items()):
        record = parts.store.campaigns.get(campaign_id)
        changed = record is not None and record.pushed_digest != parts.header_digest(campaign)
        if changed and Rule.HEADER in parts.rules:
            known = live.parts.store.facts.get(HEADER_PUSHED + campaign.id)
            try:
                write_header(applying, header_row(campaign, parts.time_zone, first=False, before=known))
            except RemoteRejected as error:
                if hour.claims.single:
                    raise
                hour.stale.add(campaign_id)
                said = f"{campaign.name}: {error.line()}; nothing of it is mailed until Predictive takes its header"
                applying.of(campaign_id).error = said
                live.note(said, level="error", campaign_id=campaign_id)
                continue
            parts.store.content.land_editions(parts.service.editions(campaign_id))
    _land_boxes(parts)
    rows, nowhere = opt_out_rows(parts, held)
    for campaign_id, here in sorted(rows.items()):
        write_members(applying, campaign_id, here)
    parts.store.people.mark_pushed(nowhere)


def _land_boxes(parts: Parts) -> None:
    """The landed members of people newly ticked show the tick, so that it is not written back to the org."""
    members = parts.store.members
    for person in parts.store.people.to_push():
        for campaign_id in members.campaigns_of(person.person_id):
            found = members.org_rows(campaign_id, (person.person_id,)).get(person.person_id, ())
            members.land_org(replace(row, opted_out=True) for row in found if not row.opted_out)


def opt_out_rows(parts: Parts, held: Collection[CampaignId]) -> tuple[dict[CampaignId, list[PlanRow]], list[PersonId]]:
    """What opts people out in the service because their box was ticked in the org.

    One campaign per person is enough, the service takes it to all others. Whoever is a member only of campaigns that
    another run has stays due for the next hour.

    Returns:
        Rows by campaign, and the people of whom the service has no member that could be mailed.
    """
    rows: dict[CampaignId, list[PlanRow]] = {}
    nowhere: list[PersonId] = []
    for person in parts.store.people.to_push():
        members = {
            campaign_id: row
            for campaign_id in parts.store.members.campaigns_of(person.person_id)
            for row in parts.store.members.service_rows(campaign_id, (person.person_id,)).values()
            if not row.opted_out
        }
        mine = next((campaign_id for campaign_id in members if campaign_id in held), None)
        if mine is not None:
            rows.setdefault(mine, []).append(_opt_out_row(mine, person.person_id, members[mine].version))
        elif not members:
            nowhere.append(person.person_id)
    return rows, nowhere


def _opt_out_row(campaign_id: CampaignId, person_id: PersonId, version: int) -> PlanRow:
    return PlanRow(
        seq=0,
        side=Side.PREDICTIVE,
        campaign_id=campaign_id,
        subject=Subject.MEMBER,
        subject_id=person_id,
        label=person_id,
        change=Change.OPT_OUT,
        field="opted_out",
        before=False,
        after=True,
        reason="opt-out box ticked in Salesforce",
        rule="opt-out",
        version=version,
    )


def _send(hour: Hour, choice: Choice) -> None:
    """Prepare, look, release."""
    live = hour.claims.live
    parts = live.parts
    apart = hour.late | hour.stale
    campaigns = [key for key in hour.claims.held if key in hour.headers and key not in apart]
    if not campaigns:
        return
    with live.phase(Phase.SEND) as done:
        live.about_to(predictive=1)
        prepared = parts.service.prepare(None, campaigns, dry_run=False, key=f"{live.run}:prepare")
        passage = flood(hour, prepared, choice)
        if passage:
            raise refusal(passage)
        if hour.refused and prepared.expected:
            live.about_to(predictive=1)
            left = [key for key in campaigns if key not in hour.refused]
            prepared = parts.service.prepare(None, left, dry_run=False, key=f"{live.run}:prepare-again")
        if prepared.send_id is not None and prepared.expected:
            live.between_batches()  # the last moment to stop before mail goes out
            release(hour, prepared)
        done[0] = hour.sent


def flood(hour: Hour, prepared: Prepared, choice: Choice) -> tuple[GuardVerdict, ...]:
    """The flood guard over what is due; campaigns it refuses are kept in *hour*, verdicts for the whole are given."""
    claims = hour.claims
    live = claims.live
    due: dict[CampaignId, int] = {}
    for item in prepared.items:
        due[item.campaign_id] = due.get(item.campaign_id, 0) + item.count
    figures = [
        CampaignFigures(
            key,
            name,
            mails=count,
            never_sent=key in prepared.first_time,
            limits=live.parts.limits_of(key, name),
        )
        for key, count in sorted(due.items())
        if (name := claims.names.get(key, key))
    ]
    verdicts = judge_plan(figures, live.parts.limits, rules=live.parts.rules)
    plan = stub_plan(live, hour, verdicts)
    passage = decide(plan, choice)
    live.guarded(passage.verdicts)
    hour.refused = dict(passage.refused)
    return passage.whole


def stub_plan(live: LiveRun, hour: Hour, verdicts: tuple[GuardVerdict, ...]) -> Plan:
    """A plan's header without rows, to pass the gate with verdicts about mail."""
    return Plan(
        plan_id="",
        kind=RunKind.HOURLY,
        made_at=hour.at or live.parts.clock.now(),
        org_id="",
        service_id="",
        mapping_digest="",
        campaigns=tuple(CampaignPlan(key, name) for key, name in hour.claims.names.items()),
        counts=PlanCounts(),
        cost=Cost(),
        guards=verdicts,
        rows=0,
    )


def release(hour: Hour, prepared: Prepared) -> None:
    """Hand a frozen list over, journalled before and after; never repeated by itself."""
    live = hour.claims.live
    journal = live.parts.store.journal
    batch = live.next_batch()
    key = f"{live.run}:{batch}"
    payload = {"send": prepared.send_id, "expected": prepared.expected}
    journal.record_intent(live.lease, batch, Side.PREDICTIVE, payload, key=key)
    hour.released = prepared.expected
    hour.count(due=prepared.items)
    try:
        live.about_to(predictive=1)
        done = live.parts.service.release(prepared.send_id or "", prepared.expected, key=key)
    except PredictiveError:
        hour.unknown = prepared.expected
        raise
    journal.record_outcome(live.lease, batch, ())
    hour.sent, hour.unknown = done.sent, done.unknown
    hour.count(due=prepared.items, sent=done.by_edition)
    if done.unknown or done.failed or done.dropped:
        live.note(
            f"of {plural(prepared.expected, 'mail')}: {done.sent:,} sent, {done.failed:,} failed, {done.dropped:,} "
            f"dropped because the member may not be mailed any more, {done.unknown:,} of unknown fate and not repeated",
            level="warning",
        )


def _write(hour: Hour, choice: Choice) -> None:
    """What the service decided goes to the org."""
    claims = hour.claims
    for campaign_id, verdicts in hour.refused.items():
        claims.finish(campaign_id, Ended(RunState.REFUSED, PlanCounts(), verdicts[0].text, verdicts))
    gear = shift(claims.live.parts, claims.live)
    if gear is not Gear.STOP:
        plan, campaigns = hourly_plan(hour, statistics=gear in (Gear.NORMAL, Gear.WARN))
        try:
            apply_plan(claims, plan, campaigns, choice)
        except Refused as error:
            if error.rule != BUDGET:
                raise
            _opt_outs_only(hour, choice, error)
        return
    stopped = Refused("the org's calls are nearly used up", rule=BUDGET, remedy="what waits is written once it may")
    _opt_outs_only(hour, choice, stopped)


def _opt_outs_only(hour: Hour, choice: Choice, why: Refused) -> None:
    """Write opt-outs to the org although the budget holds everything else back; raises *why* where anything else waits.

    Raises:
        HalfDone: opt-outs were written, the rest waits. Refused: there was nothing to write but what waits.
    """
    claims = hour.claims
    waiting = claims.live.parts.store.campaigns.touched(claims.held)
    ticks = claims.live.parts.store.people.to_tick()
    if ticks:
        claims.live.note("only opt-outs are written: the budget holds everything else back", level="warning")
    hour.late |= set(hour.headers)
    plan, campaigns = hourly_plan(hour, statistics=False)
    apply_plan(claims, plan, campaigns, choice, essential=True)
    if ticks and waiting:
        raise HalfDone(
            f"only {plural(len(ticks), 'opt-out was', 'opt-outs were')} written: {why.what}",
            left_undone="levels, reasons, statuses and statistics were not written to Salesforce",
            remedy="they are kept, and the next hourly run that is let through writes them",
        )
    if waiting:
        raise why


def hourly_plan(
    hour: Hour, *, statistics: bool = True, due: Sequence[PreparedItem] = ()
) -> tuple[Plan, Sequence[Campaign]]:
    """The plan of what goes to the org; at high usage without *statistics*. *due*: mails that a simulation only
    foresees, whose effect is estimated."""
    claims = hour.claims
    live = claims.live
    ticks = tuple(_unticked(live.parts))
    campaigns = [hour.headers[key] for key in claims.held if key in hour.headers and key not in hour.refused]
    wanted = Wanted(
        RunKind.HOURLY,
        campaigns,
        hour.at or live.parts.clock.now(),
        closed=frozenset(hour.late),
        ticks=ticks,
        statistics=statistics,
        due=tuple(due),
    )
    return draw_plan(claims, wanted), campaigns


def _unticked(parts: Parts) -> Iterator[PersonId]:
    """People to tick; whose box is seen ticked already is only noted."""
    members = parts.store.members
    for person in (each.person_id for each in parts.store.people.to_tick()):
        rows = [
            row
            for campaign_id in members.campaigns_of(person)
            for row in members.org_rows(campaign_id, (person,)).get(person, ())
        ]
        if any(row.opted_out for row in rows):
            parts.store.people.mark_ticked((person,))
        else:
            yield person
