"""The kinds of run that are killed: what both sides look like before, and what the operator types.

A template is made once for each kind; every case works on a copy of its files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sync.bootstrap import Shell
from sync.model import RunKind
from sync.views import RunResult
from tests.house.sides import Campaign, Sides

Names = Mapping[str, str]
"""Campaign ids by the names that the commands use."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of run.

    Attributes:
        prepare: makes the start state of both sides and of the engine's own state; gives the campaigns' ids.
        command: what the operator runs, and runs again after the kill.
        resumable: False where the command after one that ended is a new order (New Edition).
    """

    prepare: Callable[[Sides, Shell], Names]
    command: Callable[[Shell, Names], RunResult]
    resumable: bool = True


def _fresh(type: str) -> Callable[[Sides, Shell], Names]:
    def prepare(sides: Sides, _shell: Shell) -> Names:
        _tester(sides)
        campaign = sides.campaign(5, type=type)
        sides.update("Lead", campaign.leads[3], HasOptedOutOfEmail=True)
        return {"one": campaign.id}

    return prepare


def _tester(sides: Sides) -> str:
    flags = {"PAM__Test_Group__c": "PAM", "PAM__Test_Member__c": True}
    return sides.create("Lead", LastName="Tester", Company="X", Email="tester@x.org", **flags)


def _started(sides: Sides, shell: Shell, count: int, **values: object) -> list[Campaign]:
    _tester(sides)
    campaigns = [sides.campaign(12, **values) for _ in range(count)]  # type: ignore[arg-type]
    for campaign in campaigns:
        assert shell.new_edition(campaign.id).exit_code == 0
    _later(sides, shell, hours=20)
    return campaigns


def _later(sides: Sides, shell: Shell, *, hours: float) -> None:
    for clock in {id(sides.clock): sides.clock, id(shell.clock): shell.clock}.values():
        clock.advance(timedelta(hours=hours).total_seconds())  # type: ignore[attr-defined]


def _edit(sides: Sides, campaign: Campaign, other: Campaign | None = None) -> None:
    """One of everything that a member sync has to carry."""
    leads, members = campaign.leads, campaign.members
    sides.update("Lead", leads[0], LastName="Renamed")
    sides.update("Lead", leads[1], Email="moved@x.org")
    sides.update("CampaignMember", members[2], Status="Registered")
    sides.activity(campaign.id, leads[2], status="Attended")
    sides.update("Lead", leads[3], HasOptedOutOfEmail=True)
    sides.delete("CampaignMember", members[4])
    sides.records({"op": "convert", "id": leads[5]})
    sides.activity(campaign.id, leads[5], level="Opened", opens=2)
    sides.delete("CampaignMember", members[6])
    sides.join(campaign, leads[6])
    sides.join(campaign)
    if other is not None:
        sides.join(campaign, other.leads[0])
    sides.update("Campaign", campaign.id, Status="Planned")


def _edited(count: int) -> Callable[[Sides, Shell], Names]:
    def prepare(sides: Sides, shell: Shell) -> Names:
        campaigns = _started(sides, shell, count)
        for campaign in campaigns:
            _edit(sides, campaign, campaigns[0] if campaign is not campaigns[0] else None)
        return {str(at): campaign.id for at, campaign in enumerate(campaigns)}

    return prepare


def _busy(sides: Sides, shell: Shell) -> Names:
    """Mails due, activity, opt-outs on both sides, a member added meanwhile."""
    one, two = _started(sides, shell, 2)
    for campaign in (one, two):
        for number, edition in enumerate(sides.editions(campaign.id), 1):
            if number < 3:
                sides.make_ready(edition, days_delay=number - 1)
        assert shell.sync([campaign.id]).exit_code == 0
    sides.update("Lead", one.leads[0], HasOptedOutOfEmail=True)
    sides.call("POST", f"/v1/people/{one.leads[1]}:opt-out", {"scope": "global"})
    sides.activity(one.id, one.leads[2], level="Opened", opens=1)
    sides.activity(two.id, two.leads[0], level="Completed", opens=3, clicks=2, completions=1, status="Attended")
    sides.activity(two.id, two.leads[1], status="Registered")
    sides.join(two)
    sides.update("Campaign", two.id, Status="Planned")
    _later(sides, shell, hours=30)
    return {"one": one.id, "two": two.id}


def _active(sides: Sides, shell: Shell) -> Names:
    """Levels, reasons and counters of one campaign that the org does not know."""
    (campaign,) = _started(sides, shell, 1)
    for number, lead in enumerate(campaign.leads[:6]):
        sides.activity(campaign.id, lead, level=("Sent", "Opened", "Clicked")[number % 3], opens=number)
    sides.activity(campaign.id, campaign.leads[7], reason="Bounce", bounces=1)
    sides.call("POST", f"/v1/people/{campaign.leads[8]}:opt-out", {"scope": "campaign", "campaign_id": campaign.id})
    return {"one": campaign.id}


def _synced(sides: Sides, shell: Shell) -> Names:
    """A sync that is to be taken back."""
    (campaign,) = _started(sides, shell, 1)
    _edit(sides, campaign)
    return {"run": shell.sync([campaign.id]).run}


def _hour_done(sides: Sides, shell: Shell) -> Names:
    """An hour that is to be taken back: levels, reasons, counters, statuses in the org."""
    _busy(sides, shell)
    return {"run": shell.batch(RunKind.HOURLY).run}


def _all(names: Names) -> list[str]:
    return sorted(names.values())


KINDS: dict[str, Kind] = {
    "initial": Kind(_fresh("Adaptive"), lambda shell, names: shell.new_edition(names["one"]), resumable=False),
    "initial-scheduled": Kind(
        _fresh("Scheduled"), lambda shell, names: shell.new_edition(names["one"]), resumable=False
    ),
    "manual": Kind(_edited(1), lambda shell, names: shell.sync(_all(names))),
    "hourly": Kind(_busy, lambda shell, _names: shell.batch(RunKind.HOURLY)),
    "nightly": Kind(_edited(2), lambda shell, _names: shell.batch(RunKind.NIGHTLY)),
    "undo": Kind(_synced, lambda shell, names: shell.undo(names["run"])),
    "undo-hourly": Kind(_hour_done, lambda shell, names: shell.undo(names["run"])),
    "refresh": Kind(_active, lambda shell, names: shell.refresh(_all(names))),
}
