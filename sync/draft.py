"""What the merge of one member produces: rows, facts, notes, rejections; and what it needs to know.

Pure. Split from ``sync.merge`` so that each part of the truth table builds its rows in one way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.cheap import Word, cheap
from sync.model import OrgMember, RunKind, ServiceMember, Side, StatusLabel
from sync.plan import Change, PlanRow, Scalar, Subject
from sync.rules import EVERY_RULE, Rules

INBOUND = frozenset({RunKind.INITIAL, RunKind.MANUAL, RunKind.NIGHTLY})
"""Kinds that bring the org's member data to the service."""

COUNTERS = ("opens", "clicks", "completions", "bounces")
"""The service's counters, by our names."""

_UNCOUNTED_FIELDS = frozenset({"member", "member_id", "synced", "active", "hold"})


class Fact(Word):
    """What is said of one person; a person may have several facts. A status that was rejected before and waits for a
    side to change is *still rejected*: counted with the rejected ones, and no failure of this run."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    STILL_REJECTED = "still rejected"
    HELD = "held"
    INVISIBLE = "invisible"
    ORPHAN = "orphan"
    PENDING = "pending"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A value that is not written because the other side could not take it as it is."""

    side: Side
    field: str
    value: str | None
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class MergeContext:
    """What a merge needs to know beside the three values.

    Attributes:
        kind: initial, manual and nightly bring everything of the org to the service, and to the org only what the
            service decides on arrival; hourly brings the service's activity, statuses and opt-outs to the org;
            refresh level and reason (with the active flag) only.
        labels: the campaign's status labels.
        at: the org's clock, the value of the synced marker.
        off: our names of fields that the mapping switches off.
        rules: the rules that are held; all of them in every run.
    """

    kind: RunKind
    labels: tuple[StatusLabel, ...]
    at: datetime
    off: frozenset[str] = frozenset()
    rules: Rules = EVERY_RULE

    @property
    def inbound(self) -> bool:
        """True when the org's member data goes to the service in this run."""
        return self.kind in INBOUND


@cheap
@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome for one member. Rows carry ``seq`` 0; the plan numbers them."""

    rows: tuple[PlanRow, ...] = ()
    facts: frozenset[Fact] = frozenset()
    notes: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()


def member_label(member: OrgMember | ServiceMember) -> str:
    """``Name <e-mail>`` as people read it; the person id when there is neither."""
    name = " ".join(part for part in (member.first_name, member.last_name) if part)
    mail = f"<{member.email}>" if member.email else ""
    return " ".join(part for part in (name, mail) if part) or member.person_id


class Draft:
    """Collects the rows, facts and notes of one member."""

    __slots__ = (
        "campaign_id",
        "facts",
        "label",
        "member_id",
        "notes",
        "person_id",
        "rejections",
        "rows",
        "service",
        "version",
    )

    def __init__(self, member: OrgMember | ServiceMember, service: ServiceMember | None) -> None:
        self.campaign_id = member.campaign_id
        self.person_id = member.person_id
        self.member_id = member.member_id
        self.label = member_label(member)
        self.service = service
        self.version = service.version if service is not None else None
        self.rows: list[PlanRow] = []
        self.facts: set[Fact] = set()
        self.notes: list[str] = []
        self.rejections: list[Rejection] = []

    def row(
        self,
        side: Side,
        change: Change,
        field: str,
        before: Scalar,
        after: Scalar,
        reason: str,
        rule: str,
        *,
        conflict: bool = False,
        values: dict[str, Any] | None = None,
        arriving: bool = False,
        person: bool = False,
    ) -> None:
        """Add one row; ``person`` makes it a row about the lead or contact instead of the member."""
        self.rows.append(
            PlanRow(
                0,
                side,
                self.campaign_id,
                Subject.PERSON if person else Subject.MEMBER,
                self.person_id,
                self.label,
                change,
                field,
                before,
                after,
                reason,
                rule,
                self.member_id,
                conflict,
                values or {},
                self.version if side is Side.PREDICTIVE else None,
                arriving,
            )
        )

    def done(self) -> Merged:
        """The collected outcome; CHANGED follows from the rows."""
        counted = any(row.field not in _UNCOUNTED_FIELDS for row in self.rows)
        if counted and not self.facts & {Fact.ADDED, Fact.REMOVED}:
            self.facts.add(Fact.CHANGED)
        return Merged(tuple(self.rows), frozenset(self.facts), tuple(self.notes), tuple(self.rejections))
