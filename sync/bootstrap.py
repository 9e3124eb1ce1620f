"""The one composition root: settings in, a shell out, which is all that command line and console drive.

Imports everything of the engine; nothing of ``sync`` imports it. The store is opened at once, the network and the
secrets only when something needs them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.clock import Clock, SystemClock
from sync.engine import doctor as checks
from sync.engine import editions, timers, why
from sync.engine.gate import Choice, check_writable
from sync.engine.hourly import hourly
from sync.engine.initial import new_edition
from sync.engine.live import wait
from sync.engine.lockout import check_org, unlock
from sync.engine.mending import Mending
from sync.engine.nightly import nightly
from sync.engine.optin import opt_in
from sync.engine.parts import Cancel, Parts
from sync.engine.refresh import refresh_campaigns
from sync.engine.saved import apply_saved, plan_campaigns
from sync.engine.simulate import simulate as simulate_batch
from sync.engine.sync_run import sync_campaigns
from sync.engine.verify_run import verify_campaigns
from sync.errors import QuotaExhausted, RemoteRejected, UsageError
from sync.events import Event
from sync.http.calls import made_for
from sync.http.transport import Transport
from sync.ids import CampaignId, PersonId, looks_like_id, to18
from sync.locks import locks_from
from sync.model import Campaign, Edition, RunKind
from sync.plan import Plan
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.predictive.client import PredictiveService
from sync.rules import EVERY_RULE, Rule, Rules
from sync.salesforce.client import SalesforceOrg
from sync.settings import OrgSettings
from sync.signing_in import login_of
from sync.store.facts import DESCRIBED, LOCKS, SLOW_POLLS, JobPaces, KeptFact
from sync.store.queue import Wanted
from sync.store.store import Store, open_store
from sync.story import MemberStory, OptedIn, Unlocked
from sync.views import CampaignView, Check, LimitsView, RunResult, TimerView

if TYPE_CHECKING:
    import httpx


_COLLECT = (20_000, 20, 20)
"""When the interpreter looks for values that refer to each other in circles. A run makes very many values that never
do, thirty for each member, and at the interpreter's own 700 a tenth of its time went into looking."""


def ignore(_event: Event) -> None:
    """Where events go when nobody listens."""


def open_shell(
    org: OrgSettings,
    *,
    clock: Clock | None = None,
    on_event: Callable[[Event], None] = ignore,
    read_only: bool | None = None,
) -> Shell:
    """Open an org's state; no request is made.

    Args:
        org: its settings.
        clock: the time; the machine's when None.
        on_event: takes each event of this shell's runs, in the thread that runs them.
        read_only: True refuses every write whatever the settings say; None follows them.

    Raises:
        ConfigError: the state cannot be opened.
    """
    time = clock or SystemClock()
    gc.set_threshold(*_COLLECT)
    return Shell(org, open_store(org.state_url, clock=time), time, on_event, read_only)


class Shell(Mending):
    """One org. Reads may come from any thread; one run at a time. Close it, or use it as a context manager.

    Beside what ``open_shell`` takes: *network* makes what carries the requests in the network's stead, for tests;
    *sleep* waits that many seconds between attempts and polls.
    """

    def __init__(
        self,
        settings: OrgSettings,
        store: Store,
        clock: Clock,
        on_event: Callable[[Event], None],
        read_only: bool | None,
        rules: Rules = EVERY_RULE,
        *,
        network: Callable[[], httpx.BaseTransport] | None = None,
        sleep: Callable[[float], None] = wait,
    ) -> None:
        super().__init__(settings, store, clock)
        self._rules = rules
        self._network = network
        self._sleep = sleep
        self._on_event = on_event
        self._read_only = settings.read_only if read_only is None else read_only or settings.read_only
        self._parts: Parts | None = None
        self._from_files: set[str] = set()
        self._transports: dict[tuple[str | None, bool, str | None], Transport] = {}

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def disconnect(self) -> None:
        """Let go of connections; the next request makes new ones."""
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()
        self._parts = None

    def close(self) -> None:
        """Let go of connections and the store."""
        self.disconnect()
        self.store.close()

    def listen(self, on_event: Callable[[Event], None]) -> None:
        """Where events go from now on."""
        self._on_event = on_event

    def is_read_only(self) -> bool:
        """True when nothing may be written to this org."""
        return self._read_only

    def parts(self) -> Parts:
        """The engine's tools. Raises ConfigError when a secret is nowhere."""
        if self._parts is None:
            self._parts = Parts(
                store=self.store,
                org=self._org(),
                service=self._service(),
                settings=self.settings,
                clock=self.clock,
                tell=self._tell,
                made_for=made_for,
                read_only=self._read_only,
                rules=self._rules,
            )
        return self._parts

    def _tell(self, event: Event) -> None:
        self._on_event(event)

    def _transport(self, url: str, ca: Path | None, proxy: str | None = None) -> Transport:
        """One transport for both sides, unless they trust different authorities or go by different proxies."""
        # Plain http has no certificate to check, and loading the authorities takes longer than a request.
        verify = not url.lower().startswith("http://")
        key = (str(ca) if ca and verify else None, verify, proxy)
        if key not in self._transports:
            self._transports[key] = Transport(
                self.store.ledger,
                self.clock,
                ca_file=key[0],
                verify=verify,
                proxy=proxy,
                sleep=self._sleep,
                network=self._network() if self._network is not None else None,
            )
        return self._transports[key]

    def org_transport(self) -> Transport:
        """The transport to the org, for a login that is still to be made."""
        settings = self.settings.salesforce
        return self._transport(settings.instance_url, settings.ca, settings.proxy)

    def _org(self) -> SalesforceOrg:
        settings = self.settings.salesforce
        transport = self.org_transport()
        return SalesforceOrg(
            transport,
            instance_url=settings.instance_url,
            mapping=self.settings.mapping,
            access_token=settings.access_token.require() if settings.auth == "token" else None,
            login=login_of(settings, transport),
            slow_polls=self.store.facts.get(SLOW_POLLS) is not None,
            on_slow_polls=lambda: self.store.facts.set(SLOW_POLLS, "a poll in one statement timed out"),
            paces=JobPaces(self.store.facts),
            kept=KeptFact(self.store.facts, DESCRIBED, self.clock),
            locks=locks_from(self.store.facts.get(LOCKS)),
            on_locks=lambda locks: self.store.facts.set(LOCKS, locks.text),
            api_version=settings.api_version,
            auto_sync=[CampaignId(each) for each in self.settings.auto_sync],
            test_members=[PersonId(each) for each in self.settings.test_members],
            # Beside the state there is room for a campaign; the machine's own place may be memory.
            folder=None if "://" in self.settings.state_url else Path(self.settings.state_url).parent,
        )

    def _service(self) -> PredictiveService:
        settings = self.settings.predictive
        return PredictiveService(
            self._transport(settings.base_url, settings.ca, settings.proxy),
            base_url=settings.base_url,
            token=settings.token.require(),
            client=self.store.facts.client_id(),
        )

    # ------------------------------------------------------------ reading afresh

    def resolve(self, text: str) -> Campaign:
        """The campaign with this id or exact name; the org's list is read when the store does not know it.

        Raises:
            UnknownCampaign, AmbiguousCampaign: with the nearest names, or the ids to choose from.
        """
        found = self.found(text)
        if found is None:
            self.load_campaigns()
            found = self.found(text)
        if found is None:
            raise self._unknown(text)
        return found

    def called(self, texts: Sequence[str]) -> dict[CampaignId, str]:
        """Campaigns that *texts* name by their name, with that name: the state may know it of old."""
        return self._asked_for(texts)[1]

    def _asked_for(self, texts: Sequence[str]) -> tuple[dict[CampaignId, str], dict[CampaignId, str]]:
        """Campaigns by id: all with their names, and those of them that ``called`` gives."""
        found = [(text, self.resolve(text)) for text in texts]
        by_name = ((text, each.id) for text, each in found if not (looks_like_id(text) and to18(text) == each.id))
        return {each.id: each.name for _, each in found}, {key: text for text, key in by_name}

    def load_campaigns(self) -> tuple[CampaignView, ...]:
        """Read all campaigns: one Salesforce call and the service's list. Raises Locked when another org answers."""
        parts = self.parts()
        with made_for("campaigns"):
            campaigns, counts, org_time = parts.org.list_campaigns()
            if Rule.ACCOUNTS_LISTED not in self._rules:
                campaigns = tuple(replace(campaign, metrics=None) for campaign in campaigns)
            check_org(parts)
            parts.note_org_time(org_time)
            stats = parts.service.list_campaigns()
        self.store.campaigns.land(campaigns, counts=counts)
        self.store.campaigns.land(self._gone({campaign.id for campaign in campaigns}))
        self.store.campaigns.land_stats(stats)
        return self.overview()

    def _gone(self, listed: Collection[CampaignId]) -> list[Campaign]:
        """Campaigns that the org does not list any more, deleted or not shared, which is the same for us."""
        known = (record.campaign for record in self.store.campaigns.all())
        return [replace(each, is_deleted=True) for each in known if each.id not in listed and not each.is_deleted]

    def load_members(self, campaign_id: str) -> int:
        """Read one campaign's members, editions and statistics of both sides afresh, for display; how many members.

        Nothing is agreed by it. While a run has the campaign, what that run landed is shown instead.
        """
        parts = self.parts()
        key = CampaignId(campaign_id)
        if any(run.campaign_id == key for run in self.store.runs.live()):
            return self.count_members(key)
        with made_for("members", campaign_id=key):
            for page in parts.org.read_members(key):
                check_org(parts)
                self.store.members.land_org(page)
            try:
                self.store.content.land_editions(parts.service.editions(key))
                self.store.members.land_service_snapshot(key, parts.service.read_members(key))
                self.store.content.land_clicks(parts.service.click_throughs(key))
                self.store.content.land_history(parts.service.history(key))
            except RemoteRejected:
                # The service does not know a campaign before New Edition; the org's members are shown all the same.
                record = self.store.campaigns.get(key)
                if record is not None and record.started:
                    raise
        self.store.campaigns.recount(key)
        return self.count_members(key)

    def load_limits(self) -> LimitsView:
        """Ask the org for its meter, which rides in any answer; at the limit the last reading is all there is."""
        with made_for("limits"), suppress(QuotaExhausted):
            self.parts().org.list_campaigns()
        return self.limits()

    # ------------------------------------------------------------ runs

    def _named(self, campaign_ids: Sequence[str] | None) -> Mapping[CampaignId, str]:
        """Ids with names; those the store does not know are read."""
        if campaign_ids is None:
            return {record.campaign.id: record.campaign.name for record in self.store.campaigns.all() if record.started}
        return self._chosen(campaign_ids)[0]

    def _chosen(self, texts: Sequence[str]) -> tuple[dict[CampaignId, str], dict[CampaignId, str]]:
        """As ``_asked_for``. Raises UsageError when no campaign was named."""
        if not texts:
            raise UsageError("no campaign was named", remedy="give an id or an exact name")
        return self._asked_for(texts)

    def new_edition(
        self,
        campaign_id: str,
        *,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """The initial sync of a campaign given by id or exact name; see ``sync.engine.initial``."""
        named, called = self._chosen((campaign_id,))
        ((key, name),) = named.items()
        choice = Choice(False, dict(allow or {}), reason, confirm_name, cancel, called)
        return new_edition(self.parts(), key, name, choice)

    def make_plan(
        self, campaign_ids: Sequence[str], *, kind: RunKind = RunKind.MANUAL, cancel: Cancel | None = None
    ) -> Plan:
        """Read both sides and keep a plan of campaigns given by id or exact name; nothing is written."""
        named, called = self._chosen(campaign_ids)
        return plan_campaigns(self.parts(), named, kind, Choice(cancel=cancel, called=called))

    def apply(
        self,
        plan_id: str,
        *,
        without_deletes: bool = False,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Write what a kept plan says; see ``sync.engine.saved``."""
        choice = Choice(without_deletes, dict(allow or {}), reason, confirm_name, cancel)
        return apply_saved(self.parts(), plan_id, choice, reread=plan_id in self._from_files)

    def load_plan(self, path: Path) -> Plan:
        """Take in a plan file; whoever applies it gets it held against a fresh read. Raises BadPlanFile."""
        plan = super().load_plan(path)
        self._from_files.add(plan.plan_id)
        return plan

    def sync(
        self,
        campaign_ids: Sequence[str],
        *,
        without_deletes: bool = False,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """The manual sync of these campaigns, given by id or exact name."""
        named, called = self._chosen(campaign_ids)
        choice = Choice(without_deletes, dict(allow or {}), reason, confirm_name, cancel, called)
        return sync_campaigns(self.parts(), named, choice)

    def refresh(
        self,
        campaign_ids: Sequence[str],
        *,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Level and reason, now."""
        choice = Choice(False, dict(allow or {}), reason, None, cancel)
        return refresh_campaigns(self.parts(), self._named(campaign_ids), choice)

    def batch(
        self,
        kind: RunKind,
        *,
        simulate: bool = False,
        at: datetime | None = None,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        cancel: Cancel | None = None,
    ) -> RunResult:
        """The hourly or nightly batch, or its simulation at an instant."""
        choice = Choice(False, dict(allow or {}), reason, None, cancel)
        if simulate:
            return simulate_batch(self.parts(), kind, at, choice)
        if at is not None:
            raise UsageError("an instant is for a simulation only", remedy="add --simulate, or leave --at out")
        if kind is RunKind.HOURLY:
            return hourly(self.parts(), choice)
        if kind is RunKind.NIGHTLY:
            return nightly(self.parts(), choice)
        raise UsageError(f"{kind.value} is no batch", remedy="hourly or nightly")

    def verify(
        self,
        campaign_ids: Sequence[str] | None = None,
        *,
        allow: Mapping[str, float] | None = None,
        reason: str = "",
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Compare both sides afresh, of these campaigns or of all that were started. Raises Refused for one that was
        never started."""
        choice = Choice(False, dict(allow or {}), reason, None, cancel)
        return verify_campaigns(self.parts(), self._named(campaign_ids), choice)

    def carry_out(self, wanted: Wanted, cancel: Cancel | None) -> RunResult:
        """A run that waited in the queue, as its own command would make it.

        Raises:
            PredictiveError: as the method of its kind; Locked when another run has all that it needs.
        """
        kind = wanted.kind
        campaigns = [wanted.called.get(each, each) for each in wanted.campaigns]
        allow, reason, name = wanted.allow, wanted.reason, wanted.confirm_name
        if kind is RunKind.INITIAL:
            return self.new_edition(campaigns[0], allow=allow, reason=reason, confirm_name=name, cancel=cancel)
        if kind is RunKind.REFRESH:
            return self.refresh(campaigns, allow=allow, reason=reason, cancel=cancel)
        if kind is RunKind.VERIFY:
            return self.verify(campaigns or None, allow=allow, reason=reason, cancel=cancel)
        if kind is RunKind.MANUAL:
            return self.sync(campaigns, allow=allow, reason=reason, confirm_name=name, cancel=cancel)
        return self.batch(kind, allow=allow, reason=reason, cancel=cancel)

    # ------------------------------------------------------------ editions and care

    def edit_edition(self, campaign_id: str, edition: str, fields: Mapping[str, Any]) -> Edition:
        """Change an edition in the service."""
        return editions.edit_edition(self.parts(), CampaignId(campaign_id), edition, fields)

    def test_send(self, campaign_id: str, edition: str) -> tuple[int, tuple[str, ...], Edition]:
        """Send an edition to the test members."""
        return editions.test_send(self.parts(), CampaignId(campaign_id), edition)

    def clear_auto_sync(self, campaign_id: str) -> None:
        """Clear the auto-sync box of a campaign in the org.

        Raises:
            Refused: the org is read-only. UsageError: the org has no such field. RemoteRejected: it refused.
        """
        parts = self.parts()
        check_writable(parts)
        name = self.settings.mapping.campaign_auto_sync
        if not name:
            raise UsageError("auto-sync is in the configuration of this org", remedy="take the campaign out there")
        write = OrgWrite(campaign_id, "Campaign", OrgOperation.UPDATE, {name: False}, campaign_id, campaign_id)
        answers: list[OrgOutcome] = []
        with made_for("clear-auto-sync", campaign_id=campaign_id):
            parts.org.write(
                (write,),
                before=lambda _writes: None,
                after=lambda _writes, outcomes: answers.extend(outcomes),
                cancelled=lambda: False,
            )
        for answer in answers:
            if answer.state != "written":
                raise RemoteRejected(
                    answer.message or "the box was not cleared", code=answer.code, remedy=answer.remedy
                )
        self.load_campaigns()

    def why(self, campaign_id: str, person: str) -> MemberStory:
        """A member's whole story; see ``sync.engine.why``."""
        return why.tell(self.parts(), self.resolve(campaign_id), person)

    def opt_in(self, campaign_id: str, person: str, *, from_edition: str, reason: str) -> OptedIn:
        """Opt a member in again from an edition on; see ``sync.engine.optin``."""
        return opt_in(self.parts(), self.resolve(campaign_id), person, from_edition=from_edition, reason=reason)

    def unlock(self, campaign_id: str, reason: str) -> Unlocked:
        """Lift a lock-out; see ``sync.engine.lockout``."""
        return unlock(self.parts(), self.resolve(campaign_id), reason)

    def pause_schedule(self, note: str, campaign_id: str | None = None) -> None:
        """Hold all timers back, or leave one campaign out of them, with a note that says why."""
        if campaign_id is None:
            self.store.schedule.pause(note)
        else:
            self.store.campaigns.pause(CampaignId(campaign_id), note)

    def resume_schedule(self, campaign_id: str | None = None) -> None:
        """Let them run again."""
        if campaign_id is None:
            self.store.schedule.resume()
        else:
            self.store.campaigns.resume(CampaignId(campaign_id))

    def doctor(self) -> tuple[Check, ...]:
        """Check installation, secrets, both sides, fields, clocks, state."""
        return tuple(checks.examine(self))

    def due_tick(self, now: datetime) -> TimerView | None:
        """The timer that is due now, if any."""
        return timers.due_tick(self.store, self.settings, now, simulated=self._read_only)

    def fire(self, kind: RunKind, due: datetime, *, cancel: Cancel | None = None) -> RunResult | None:
        """Claim a tick and run it (simulate it in a read-only org); None when another process has it."""
        return timers.fire(
            self.store, kind, due, lambda batch: self.batch(batch, simulate=self._read_only, cancel=cancel)
        )
