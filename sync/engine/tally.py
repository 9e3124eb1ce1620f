"""Counts of a plan and of a run, per campaign: persons by what happens to them, rows by side, figures for the guards.

Pure. Persons are counted once per campaign, rows as they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from sync.draft import Fact, Merged
from sync.guard import CampaignFigures, GuardLimits
from sync.ids import CampaignId
from sync.model import Side
from sync.plan import REMOVALS, CampaignPlan, Change, PlanCounts, PlanRow, Subject
from sync.store.members import Sizes

_BLANKABLE = frozenset({"last_name", "email"})
_OF_MEMBERS = (Subject.MEMBER, Subject.PERSON)
_NOT_A_CHANGE = frozenset({"synced", "active", "hold", "member", "member_id"})


@dataclass(slots=True)
class Tally:
    """What a plan does to one campaign."""

    campaign_id: CampaignId
    name: str
    facts: Counter[Fact] = field(default_factory=Counter)
    rows: Counter[tuple[Side, Change]] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    blanked: Counter[str] = field(default_factory=Counter)
    sizes: Sizes = field(default_factory=lambda: Sizes(0, 0, 0, 0, 0, 0))
    incomplete: str = ""
    editions_updated: int = 0
    test_members: int = 0
    drifted: int = 0
    mails: int = 0
    never_sent: bool = False
    limits: GuardLimits | None = None

    def take(self, merged: Merged) -> None:
        """Count one member's outcome."""
        for fact in merged.facts:
            self.facts[fact] += 1
        for row in merged.rows:
            self.row(row)

    def row(self, row: PlanRow) -> None:
        """Count one row; one that is only offered is no write."""
        if row.offered:
            return
        self.rows[row.side, row.change] += 1
        if row.on_arrival or row.field in _NOT_A_CHANGE or row.subject not in _OF_MEMBERS:
            return
        self.fields[row.field] += 1
        if row.field in _BLANKABLE and row.before and not row.after:
            self.blanked[row.field] += 1

    def side_rows(self, side: Side) -> int:
        """Rows that are written to a side."""
        return sum(count for (where, _), count in self.rows.items() if where is side)

    @property
    def counts(self) -> PlanCounts:
        """The summary's figures, as planned."""
        facts = self.facts
        scope = max(self.sizes.org, self.sizes.service if not self.sizes.org else 0)
        return PlanCounts(
            added=facts[Fact.ADDED],
            removed=facts[Fact.REMOVED],
            changed=facts[Fact.CHANGED],
            unchanged=max(0, scope - facts[Fact.ADDED] - facts[Fact.CHANGED]),
            conflicts=facts[Fact.CONFLICT],
            rejected=facts[Fact.REJECTED] + facts[Fact.STILL_REJECTED],
            drifted=self.drifted,
            held=facts[Fact.HELD],
            invisible=facts[Fact.INVISIBLE],
            pending=facts[Fact.PENDING],
            salesforce_rows=self.side_rows(Side.SALESFORCE),
            predictive_rows=self.side_rows(Side.PREDICTIVE),
            editions_updated=self.editions_updated,
            test_members=self.test_members,
        )

    @property
    def figures(self) -> CampaignFigures:
        """What the guards look at."""
        return CampaignFigures(
            campaign_id=self.campaign_id,
            name=self.name,
            members=max(self.sizes.org, self.sizes.service),
            base=self.sizes.base,
            org=self.sizes.org,
            service=self.sizes.service,
            deletes=self.facts[Fact.REMOVED],
            changed=dict(self.fields),
            blanked=dict(self.blanked),
            mails=self.mails,
            never_sent=self.never_sent,
            incomplete=self.incomplete,
            limits=self.limits,
        )

    def plan(self, skipped: str | None = None) -> CampaignPlan:
        """The campaign's part of the plan's header."""
        groups = tuple((side, change, count) for (side, change), count in sorted(self.rows.items()))
        return CampaignPlan(self.campaign_id, self.name, self.counts, skipped, groups)


@dataclass(slots=True)
class Done:
    """What applying did to one campaign, beside what was planned.

    ``failed`` are persons with a row that was rejected, ``drifted`` with one that was skipped; ``counted`` persons
    with at least one counted row that was written; ``pending`` persons of whom the service decided something by what
    was written, which the org is told with the hour.
    """

    added: int = 0
    removed: int = 0
    salesforce_rows: int = 0
    predictive_rows: int = 0
    editions_created: int = 0
    editions_updated: int = 0
    failed: set[str] = field(default_factory=set)
    drifted: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    unwritten: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    error: str | None = None

    def wrote(self, person: str, rows: tuple[PlanRow, ...], *, whole: bool) -> None:
        """A record's rows were written; *whole* when the person was added or removed by them."""
        if rows[0].side is Side.SALESFORCE:
            self.salesforce_rows += len(rows)
        else:
            self.predictive_rows += len(rows)
        changes = {row.change for row in rows}
        if Change.ADD in changes:
            self.added += 1
        elif not changes.isdisjoint(REMOVALS):
            self.removed += 1
        elif not whole and any(row.field not in _NOT_A_CHANGE and not row.on_arrival for row in rows):
            self.counted.add(person)

    def counts(self, planned: PlanCounts) -> PlanCounts:
        """The run's figures: the plan's, where nothing else happened, and what was really done."""
        return replace(
            planned,
            added=self.added,
            removed=self.removed,
            changed=len(self.counted),
            unchanged=max(0, planned.unchanged + planned.changed - len(self.counted)),
            rejected=planned.rejected + len(self.failed),
            drifted=len(self.drifted),
            pending=planned.pending + len(self.pending),
            salesforce_rows=self.salesforce_rows,
            predictive_rows=self.predictive_rows,
            editions_created=self.editions_created,
            editions_updated=self.editions_updated,
        )
