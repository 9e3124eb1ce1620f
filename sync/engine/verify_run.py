"""A verification as a run: says its cost first, compares, reports, and seals the campaigns that are equal.

Imports the verifier and the engine's run; the comparing itself shares nothing with the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sync.engine.claims import Claims, Ended, open_claims
from sync.engine.gate import Choice
from sync.engine.parts import Parts
from sync.engine.sync_run import check_governor, refuse_rest, run_to_end, started_of
from sync.engine.verify import DIFFERENCE, PENDING, Compared, Found, compare
from sync.events import Phase
from sync.ids import CampaignId
from sync.model import Calls, RunKind, RunState
from sync.packing import ROWS_PER_PAGE, SLOTS_PER_CALL, least_read_calls, read_calls, rest_calls
from sync.plan import Cost, PlanCounts
from sync.views import Difference, RunResult
from sync.words import plural

DIFFERENT = 3
"""Exit code when a difference was found."""

MEMBERS_PER_PAGE = 10_000
"""Members that one request to the service reads."""

TOLD_APART = 200
"""Most pending, held, invisible and rejected fields that are told one by one, per campaign."""


def verify_campaigns(parts: Parts, campaigns: Mapping[CampaignId, str], choice: Choice) -> RunResult:
    """Compare both sides of these campaigns. Differences are in the result; any is exit 3;
    what is pending, held, invisible or rejected is counted and told apart. Of a campaign that was never started the
    service has nothing to compare: it is refused, and the others go on.

    Raises:
        Refused: none of the campaigns was ever started.
    """
    choice.check()
    ready = started_of(parts, campaigns)
    claims = open_claims(parts, RunKind.VERIFY, {}, cancel=choice.cancel, batch=True, exclusive=False)
    live = claims.live
    claims.names |= ready
    told: list[Difference] = []

    def work() -> None:
        if not campaigns:
            live.note("there is nothing to verify: no campaign was started with New Edition yet")
            return
        rows = _say_cost(claims)
        refuse_rest(claims, campaigns)
        check_governor(live, choice, claims.cost.predicted.salesforce)
        with live.phase(Phase.CHECK, rows) as done:
            found = compare(
                parts.org,
                parts.service,
                tuple(ready),
                parts.store.members.base_rows,
                off=parts.off,
                breathe=live.step,
            )
            for each in found:
                done[0] += each.members
                told.extend(_difference(one) for one in each.found if one.kind == DIFFERENCE)
                _conclude(claims, each)
                live.progress(Phase.CHECK, done[0], rows)

    result = run_to_end(claims, work)
    code = result.exit_code or (DIFFERENT if told else 0)
    return replace(result, differences=tuple(told), exit_code=code)


def _say_cost(claims: Claims) -> int:
    """Say what the verification costs before its first call; how many members it is about."""
    live = claims.live
    campaigns = tuple(claims.names)
    known = live.parts.store.members.count_known(campaigns)
    rows = sum(known.values())
    shared = 1 + rest_calls(max(0, rows - ROWS_PER_PAGE))
    first = ROWS_PER_PAGE if len(campaigns) > 1 else SLOTS_PER_CALL * ROWS_PER_PAGE
    calls = shared if len(campaigns) > 1 else max(1, read_calls(rows))
    pages = sum(max(1, -(-known.get(key, 0) // MEMBERS_PER_PAGE)) for key in campaigns)
    again = len(campaigns) * max(1, read_calls(max(known.values(), default=0)))
    claims.cost = Cost(
        predicted=Calls(calls, pages),
        maximum=Calls(2 * calls + again, 2 * pages + len(campaigns)),
        lower_bound=Calls(1 + least_read_calls(max(0, rows - first)), pages),
    )
    live.note(
        f"verifying {plural(rows, 'member')} of {plural(len(campaigns), 'campaign')}: "
        f"about {plural(calls, 'Salesforce call')}, and 1 for each 1,000 members "
        "that differ, which are read a second time"
    )
    return rows


def _conclude(claims: Claims, each: Compared) -> None:
    """Seal the campaign or break its seal; what is no difference is told apart."""
    live = claims.live
    store, now = live.parts.store, live.parts.clock.now()
    if not each.shown:
        text = "Salesforce does not show this campaign any more: its members are kept and not mailed"
        live.note(text, level="warning", campaign_id=each.campaign_id)
    for one in [one for one in each.found if one.kind != DIFFERENCE][:TOLD_APART]:
        here, there = _shown(one.salesforce), _shown(one.predictive)
        text = f"{one.kind}: {one.label}, {one.field}: {here} in Salesforce, {there} in Predictive"
        live.note(text, campaign_id=one.campaign_id)
    people: dict[str, set[str]] = {}
    for one in each.found:
        people.setdefault(one.kind, set()).add(one.person_id)
    differences = sum(one.kind == DIFFERENCE for one in each.found)
    if differences:
        store.campaigns.set_broken(each.campaign_id, differences, now)
    else:
        store.campaigns.set_verified((each.campaign_id,), now)
    counts = PlanCounts(
        unchanged=each.members - len(people.get(DIFFERENCE, ())),
        pending=len(people.get(PENDING, ())),
        held=len(people.get("held", ())),
        invisible=len(people.get("invisible", ())),
        rejected=len(people.get("rejected", ())),
    )
    claims.finish(each.campaign_id, Ended(RunState.DONE, counts))


def _shown(value: object) -> str:
    """A value as people read it."""
    return {"": "nothing", "None": "nothing", "True": "yes", "False": "no"}.get(str(value), str(value))


def _difference(one: Found) -> Difference:
    return Difference(one.campaign_id, one.person_id, one.label, one.field, one.salesforce, one.predictive, one.kind)
