"""One member's story as values: what happened, how both sides and the base stand, why each edition is mailed or not.

Pure. ``predictive why`` and the console's member screen read the same values. Conditions of sending stand in the order
of the product's rules (active campaign, dates, active edition, range, tested, active member, delay and level, hours,
hourly limit, login, address); the service evaluates its own by the code that decides who is mailed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.ids import CampaignId, EditionId, RunId
from sync.model import RunKind, ServiceMember


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of sending.

    Attributes:
        rule: stable name, e.g. ``campaign_active``.
        text: what must hold, a sentence.
        value: what is the case now, for people; "" when there is nothing to show.
        holds: whether it is fulfilled.
    """

    rule: str
    text: str
    value: str
    holds: bool

    @property
    def failing(self) -> str:
        """Why it does not hold: its value where that is a sentence, else what must hold and what is the case."""
        if self.value.endswith("."):
            return self.value
        return f"{self.text.rstrip('.')}: no" + (f", {self.value}" if self.value else "")


@dataclass(frozen=True, slots=True)
class MailSent:
    """One mail to the member, and what came of it. ``state`` is sent, unknown (never repeated) or intent."""

    edition_id: EditionId
    state: str
    at: datetime | None
    email: str
    opened: bool = False
    clicked: bool = False
    completed: bool = False
    bounced: bool = False
    opted_out: bool = False
    complained: bool = False


@dataclass(frozen=True, slots=True)
class EditionStory:
    """Why one edition is mailed to the member, or is not.

    Attributes:
        mail: the mail that went, None when none did.
        due: whether it would be sent if the hourly run were now: every condition holds.
        conditions: all of them, in the order in which they are looked at.
        decided: the first condition that does not hold, None when it is due or was mailed.
    """

    edition_id: EditionId
    slot: int
    name: str
    mail: MailSent | None
    due: bool
    conditions: tuple[Condition, ...]

    @property
    def decided(self) -> Condition | None:
        """The condition that decided against it."""
        if self.mail is not None:
            return None
        return next((each for each in self.conditions if not each.holds), None)

    @property
    def verdict(self) -> str:
        """``mailed``, ``unknown`` (a crash made its fate unknowable), ``due`` or ``not due``."""
        if self.mail is not None:
            return "mailed" if self.mail.state == "sent" else "unknown"
        return "due" if self.due else "not due"


@dataclass(frozen=True, slots=True)
class Suppression:
    """What holds a person back in the service: ``scope`` is global or campaign, ``kind`` opt_out, complaint, bounce."""

    scope: str
    kind: str
    reason: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the service recorded at one instant: a member's whole values, as its feed gave them, that the member was
    removed, or that the person was opted out or in (with the reason). ``client`` wrote it; None when mail activity or
    the service itself did."""

    at: datetime
    removed: bool
    client: str | None
    member: ServiceMember | None
    opted_out: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceStory:
    """What only the service knows of one member.

    Attributes:
        member: as it is now; None when the service has none, or only what is left of a removed one.
        removed: it was a member once; its history and suppression are kept by person.
        at: the service's clock at the answer; the conditions hold at this instant.
    """

    member: ServiceMember | None
    removed: bool
    at: datetime
    suppressions: tuple[Suppression, ...]
    editions: tuple[EditionStory, ...]
    recorded: tuple[Recorded, ...]
    from_slot: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, in time order.

    Attributes:
        source: ``run`` (this console wrote it), ``predictive`` (the service recorded it), ``salesforce`` (seen there).
        text: a sentence.
        field, before, after: what changed, where one field did.
        state: written, rejected, drifted, unknown for what a run wrote; "" else.
        run, kind: the run that carried it.
        rule: the rule that decided.
        remedy: what to do, where it failed.
    """

    at: datetime | None
    source: str
    text: str
    field: str = ""
    before: str | None = None
    after: str | None = None
    state: str = ""
    run: RunId | None = None
    kind: RunKind | None = None
    rule: str = ""
    code: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class FieldState:
    """One field on both sides and in the base. ``state``: agreed, pending, held, rejected, invisible or different."""

    field: str
    salesforce: str | None
    predictive: str | None
    base: str | None
    state: str
    rule: str


@dataclass(frozen=True, slots=True)
class MemberStory:
    """Everything about one member of one campaign.

    Attributes:
        state: one word over all fields, the worst of them; ``absent`` when neither side has the member.
        fields: each compared field; empty when neither side has the member.
        steps: what happened, oldest first.
        editions: each edition with its verdict; empty when the service knows no such member.
        verdict: one sentence: would the member be mailed now, and if not, which rule decided.
        notes: what else a person should know.
        landed_at: when the org's row was last read; the service's part is of ``asked_at``.
    """

    campaign_id: CampaignId
    campaign_name: str
    person_id: str
    member_id: str | None
    kind: str
    label: str
    email: str | None
    state: str
    fields: tuple[FieldState, ...]
    steps: tuple[Step, ...]
    editions: tuple[EditionStory, ...]
    suppressions: tuple[Suppression, ...]
    verdict: str
    notes: tuple[str, ...] = ()
    landed_at: datetime | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OptedIn:
    """An opt-in that was done.

    Attributes:
        edition: slot and name of the first edition that the member may get.
        before, after: the service's reason before; "" when the member was active, and what holds it back now.
        active: whether the member may be mailed now.
        org_box: whether Salesforce still shows the opt-out box ticked; None when it was never read.
        told: sentences for people.
    """

    run: RunId
    campaign_id: CampaignId
    person_id: str
    label: str
    edition: str
    before: str
    after: str
    active: bool
    org_box: bool | None
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A lock-out that a person lifted. ``was`` is why the campaign was locked, ``since`` when."""

    run: RunId
    campaign_id: CampaignId
    name: str
    was: str
    since: datetime | None
