"""Where the calls go and where they will: spenders by campaign, run kind and object; waste; what the next runs take.

Imports the store and the pure core; no request is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sync.budget import reached_at
from sync.engine.governor import kept_gear_of, ladder_from
from sync.ids import CampaignId
from sync.model import CampaignState, RunKind, RunState
from sync.packing import read_calls
from sync.settings import OrgSettings
from sync.store.campaigns import CampaignRecord
from sync.store.store import Store
from sync.views import LimitsView, Spender, Spending, Waste
from sync.words import plural

_FORECAST_RUNS = 20
_SHARED = "several campaigns at once"
_FAILED = (RunState.FAILED, RunState.REFUSED)


def limits(store: Store, settings: OrgSettings, today: date) -> LimitsView:
    """The API meter as last heard, and what is to come."""
    meter = store.ledger.meter()
    told = store.ledger.told()
    budget = settings.budget
    forecast: list[tuple[str, float]] = []
    for kind in (RunKind.HOURLY, RunKind.NIGHTLY):
        calls = _calls_of(store, kind)
        if calls:
            forecast.append((kind.value, sum(calls) / len(calls)))
    forecast.append(("tonight", float(tonight(store, settings, today))))
    now = store.database.clock.now()
    reached = reached_at(store.ledger.readings(), told.limit, now) if told is not None else None
    if reached is not None:
        forecast.append(("hours until the limit", max(0.0, (reached - now).total_seconds() / 3600)))
    used, limit = (told.used, told.limit) if told is not None else (None, None)
    return LimitsView(
        used=meter.used,
        limit=meter.limit,
        ours=meter.ours,
        others=meter.others,
        window=meter.window,
        thresholds=(
            ("warn", budget.warn),
            ("pause", budget.pause),
            ("stop", budget.stop),
            ("resume", budget.resume),
        ),
        forecast=tuple(forecast),
        at=meter.at,
        gear=ladder_from(settings).gear(used, limit, kept_gear_of(store)).value,
        reserved=store.reservations.outstanding(),
        reached_at=reached,
    )


def _calls_of(store: Store, kind: RunKind, most: int = _FORECAST_RUNS) -> list[int]:
    """Salesforce calls of the newest ended batches of a kind that really ran."""
    found = store.runs.wholes(kind=kind, limit=_FORECAST_RUNS * 10)
    really = (run for run in found if run.state.ended and not run.simulated)
    return [run.calls.salesforce for run in really][:most]


def tonight(store: Store, settings: OrgSettings, today: date) -> int:
    """Calls that the next nightly batch will take: one poll for all; whole reads of campaigns that were never read; and
    what the nights before took beyond their poll, for what changes each day."""
    known = store.members.count_known()
    first = 0
    for record in store.campaigns.all():
        if _in_the_night(record, settings, today) and record.watermark is None:
            first += 1 + read_calls(max(known.get(record.campaign.id, 0), record.campaign.number_of_leads))
    before = [max(0, calls - 1) for calls in _calls_of(store, RunKind.NIGHTLY, 7)]
    daily = round(sum(before) / len(before)) if before else 0
    return 1 + first + daily


def _in_the_night(record: CampaignRecord, settings: OrgSettings, today: date) -> bool:
    closed = record.campaign.state(today) is CampaignState.CLOSED
    going = record.started and not record.paused and not record.locked
    return (
        record.campaign.auto_sync
        and not record.campaign.is_deleted
        and going
        and (not closed or settings.nightly_closed)
    )


def spending(store: Store, settings: OrgSettings, today: date, window: int = 24) -> Spending:
    """Who spent, and on what, in *window* hours; and what was wasted."""
    names = dict(store.campaigns.names())
    campaigns = tuple(
        Spender(key, names.get(CampaignId(key), key) if key else _SHARED, calls)
        for key, calls in store.ledger.spent_by("campaign_id", window)
    )
    kinds = tuple(Spender(key, key or "other", calls) for key, calls in store.ledger.spent_by("purpose", window))
    objects = tuple(Spender(key, key or "other", calls) for key, calls in store.ledger.spent_by("resource", window))
    waste = (*_closed(store, settings, today), *_in_vain(store, window))
    total = sum(each.calls for each in kinds)
    return Spending(
        window,
        total,
        campaigns,
        kinds,
        objects,
        tuple(sorted(waste, key=lambda one: -one.calls)),
        _by_hour(store, window),
    )


def _by_hour(store: Store, window: int) -> tuple[int, ...]:
    """Calls in each of the last hours by the clock, the oldest first; the last is the one that runs."""
    told = dict(store.ledger.meter(window).by_hour)
    running = store.database.clock.now().replace(minute=0, second=0, microsecond=0)
    return tuple(told.get(running - timedelta(hours=back), 0) for back in range(window - 1, -1, -1))


def _closed(store: Store, settings: OrgSettings, today: date) -> Iterator[Waste]:
    """Closed campaigns with auto-sync on: the nightly batch as the product first did it reads each by itself."""
    known = store.members.count_known()
    for record in store.campaigns.all():
        campaign = record.campaign
        if not campaign.auto_sync or campaign.is_deleted or campaign.state(today) is not CampaignState.CLOSED:
            continue
        members = max(known.get(campaign.id, 0), campaign.number_of_leads + campaign.number_of_contacts)
        calls = 1 + read_calls(members)
        spent = settings.nightly_closed and record.started
        does = "takes" if spent else "would take"
        text = f"closed, with auto-sync on: {does} about {plural(calls, 'call')} a night. Clear the box"
        yield Waste("closed-auto-sync", campaign.id, campaign.name, calls, spent, text)


def _in_vain(store: Store, window: int) -> Iterator[Waste]:
    """Calls of runs that came to nothing, and of simulations."""
    since = store.database.clock.now().timestamp() - window * 3600
    recent = [run for run in store.runs.wholes(limit=500) if run.started.timestamp() >= since]
    failed = [run for run in recent if run.state in _FAILED and run.calls.salesforce]
    if failed:
        calls = sum(run.calls.salesforce for run in failed)
        text = f"{plural(len(failed), 'run')} failed or refused after {plural(calls, 'call')}. predictive runs says why"
        yield Waste("failed-runs", None, "runs that failed", calls, True, text)
    simulated = [run for run in recent if run.simulated and run.calls.salesforce]
    if simulated:
        calls = sum(run.calls.salesforce for run in simulated)
        text = f"{plural(len(simulated), 'simulation')}, read by {plural(calls, 'call')}. A read-only org simulates"
        yield Waste("simulations", None, "simulations", calls, True, text)
