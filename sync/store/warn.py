"""What about a campaign needs a person. Pure: a record, what else is known, and today's date in; warnings out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sync.model import Blocked, Campaign, CampaignState, Edition, RunState
from sync.views import Warned
from sync.words import plural

SOON_DAYS = 3


@dataclass(frozen=True, slots=True)
class Known:
    """What warnings are made of beside the campaign itself.

    Attributes:
        started: New Edition was done.
        synced: the campaign was agreed on at least once.
        test_people: global test members of the org, None when never read.
        locked, paused: the notes.
        rejected, held, invisible: members in that state.
        accounts: accounts that are members themselves.
        last_state, last_error, last_drifted: the newest ended run, and how many rows it left because they had moved.
    """

    started: bool
    synced: bool
    test_people: int | None
    locked: str | None = None
    paused: str | None = None
    rejected: int = 0
    held: int = 0
    invisible: int = 0
    accounts: int = 0
    last_state: RunState | None = None
    last_error: str | None = None
    last_drifted: int = 0


def warnings_of(
    campaign: Campaign, known: Known, today: date, editions: Iterable[Edition] | None = None
) -> tuple[Warned, ...]:
    """Warnings, the gravest first. *editions* are looked at where they are at hand."""
    state = campaign.state(today)
    out = [*_stopped(known), *_rows(known)]
    if campaign.is_deleted:
        out.append(Warned("gone", "Salesforce does not show it any more: deleted, or not shared with the sync user."))
    if state is CampaignState.CLOSED and campaign.auto_sync and not campaign.is_deleted:
        out.append(Warned("closed-auto-sync", "Closed, but auto-sync is still on. Clear auto-sync."))
    if state is not CampaignState.CLOSED:
        out += _open(campaign, known, today)
        out += _editions(campaign, editions or (), known, today)
    return tuple(out)


def _stopped(known: Known) -> list[Warned]:
    out = []
    if known.locked is not None:
        out.append(Warned("locked", f"Locked: {known.locked}. Look at it, then unlock it."))
    if known.last_state is RunState.FAILED:
        out.append(Warned("failed", f"The last run failed: {_said(known.last_error)}."))
    elif known.last_state is RunState.REFUSED:
        out.append(Warned("refused", f"The last run was refused: {_said(known.last_error)}."))
    if known.paused is not None:
        out.append(Warned("paused", f"Timers leave it out: {known.paused}. Resume it to go on."))
    return out


def _rows(known: Known) -> list[Warned]:
    out = []
    if known.rejected:
        out.append(
            Warned(
                "rejected",
                f"{plural(known.rejected, 'member has', 'members have')} a rejected status. See the run's failed rows.",
            )
        )
    if known.last_drifted:
        rows = plural(known.last_drifted, "row")
        out.append(
            Warned("drifted", f"{rows} moved while the last run wrote: left as they were. The next run decides anew.")
        )
    if known.held:
        who = plural(known.held, "member has", "members have")
        out.append(Warned("held", f"{who} held values. Agree in the org, or predictive runs release."))
    if known.accounts:
        what = plural(known.accounts, "account is a member", "accounts are members")
        out.append(Warned("accounts", f"{what}: no e-mail address, so not synced. Add their contacts instead."))
    if known.invisible:
        out.append(
            Warned(
                "invisible",
                f"{plural(known.invisible, 'member is', 'members are')} not visible to the sync user. Check sharing.",
            )
        )
    return out


def _open(campaign: Campaign, known: Known, today: date) -> list[Warned]:
    out = []
    if known.started and not known.synced:
        out.append(Warned("never-synced", "Has editions but was never synced. Synchronize it."))
    if campaign.type is None and campaign.auto_sync:
        label = f"'{campaign.type_label}'" if campaign.type_label else "empty"
        out.append(Warned("type", f"Type is {label}, which is no e-mail type. Set Adaptive, Scheduled or Drip."))
    if known.started and known.test_people == 0:
        out.append(Warned("no-test-member", "No global test member in the org: editions cannot be tested."))
    if campaign.auto_sync and not known.started and campaign.type is not None:
        out.append(Warned("not-started", "Auto-sync is on, but it has no edition. Do New Edition."))
    if campaign.end_date is not None and 0 <= (campaign.end_date - today).days < SOON_DAYS:
        out.append(Warned("ends-soon", f"Ends on {campaign.end_date:%Y-%m-%d}; nothing is mailed after it."))
    return out


def _editions(campaign: Campaign, editions: Iterable[Edition], known: Known, today: date) -> list[Warned]:
    if not known.started:
        return []
    blocked = ((edition, _blocks(campaign, edition, today)) for edition in editions if edition.active)
    return [
        Warned("edition-blocked", f"{edition.name} is active but does not send: {blocks[0].text}")
        for edition, blocks in blocked
        if blocks
    ]


def _blocks(campaign: Campaign, edition: Edition, today: date) -> list[Blocked]:
    """What the service said when it was last asked, without the waiting for a day that has come since: days alone
    change nothing that its feed would tell."""
    starts = {"campaign_not_started": campaign.start_date, "edition_not_started": edition.start_date}
    return [block for block in edition.blocked_by if (starts.get(block.rule) or date.max) > today]


def _said(error: str | None) -> str:
    return (error or "see its journal").rstrip(".")
