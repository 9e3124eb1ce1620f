"""What keys start on a campaign: New Edition, Refresh, Verify, and the questions asked first. More of the app's verbs.

Imports Textual and the dialogs, which are imported when first opened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from console.keys import Situation
from console.work import Work
from sync.holds import stays_held
from sync.views import CampaignView
from sync.words import plural

EDITIONS_OF = {"adaptive": 5, "scheduled": 1, "drip": 1}


class CampaignWork(Work):
    """The verbs of a campaign; every public method answers a key, a command or a timer."""

    def about(self, view: CampaignView | None, now: Situation) -> Situation:
        """*now* with what is true of *view*."""
        if view is None:
            return now
        return replace(
            now,
            campaign=True,
            started=view.started,
            closed=view.state == "closed",
            auto_sync=view.campaign.auto_sync,
            type_known=view.campaign.type is not None,
            locked=view.locked or "",
        )

    def start_pause_one(self, view: CampaignView) -> None:
        """Timers leave the campaign out, with a note; or take it again."""
        campaign = view.campaign
        if view.paused:
            self.small(
                "Resume",
                lambda b, cancel: b.resume_schedule(campaign.id),
                lambda _: f"Timers take {campaign.name} again.",
            )
            return

        def pause(note: str) -> None:
            self.small(
                "Pause",
                lambda b, cancel: b.pause_schedule(note, campaign.id),
                lambda _: f"Hourly and nightly leave {campaign.name} out until P is pressed again.",
            )

        about = "The hourly and the nightly run leave it out; Synchronize by hand still works."
        text = (about, "A note for whoever looks next:")
        self.ask_text(f"Pause the timers for {campaign.name}", text, pause, does="pause")

    def start_unlock(self, view: CampaignView) -> None:
        """Show why the campaign is locked, ask for a reason, lift it."""
        campaign = view.campaign

        def unlock(reason: str) -> None:
            self.small(
                "Unlock",
                lambda b, cancel: b.unlock(campaign.id, reason),
                lambda _: f"{campaign.name} is unlocked; v compares both sides afresh.",
            )

        text = (f"Locked: {view.locked}.", "What you found and did, for the journal:")
        self.ask_text(f"Unlock {campaign.name}", text, unlock, does="unlock")

    def start_new_edition(self, view: CampaignView) -> None:
        """Say what New Edition does, then do it."""
        campaign = view.campaign
        editions = EDITIONS_OF[campaign.type.value] if campaign.type else 1
        made = f"Predictive makes {plural(editions, 'edition')}, inactive and empty: nothing is mailed by this."
        label = f"make {plural(editions, 'edition')}"
        if view.started and editions > 1:
            made = "Its five editions exist and are never made twice; an unfinished start is taken up again."
            label = "do it"
        elif view.started:
            made += " It was done before: this makes one more."

        def go(answer: str) -> None:
            if answer == "y":
                self.start_run(
                    f"{campaign.name} › New Edition", lambda b, cancel: b.new_edition(campaign.id, cancel=cancel)
                )
            elif answer == "r":
                self.start_release(
                    campaign.id,
                    None,
                    what=f"Release what is held in {campaign.name}",
                    done=f"Released; New Edition of {campaign.name} takes them over now.",
                )

        held = view.held
        self.ask(
            f"New Edition for {campaign.name}?",
            (
                f"{plural(view.total, 'member')} with header and test members go to Predictive.",
                made,
                "Salesforce gets the edition rows and each member's synced marker.",
                *((f"{stays_held(held)}.",) if held else ()),
            ),
            (("y", label, "y"), *((("r", "release them first", "r"),) if held else ())),
            go,
        )

    def start_release(
        self,
        campaign_id: str,
        person_id: str | None,
        *,
        what: str,
        done: str,
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Ask why, and give what an undo holds of one member, or of all, back to the rules of ownership.

        Args:
            campaign_id: its campaign.
            person_id: lead or contact id; None releases every member.
            what: the dialog's title.
            done: the note when it is done.
            then: reads anew what it changed.
        """

        def release(reason: str) -> None:
            self.small(
                "Release",
                lambda b, cancel: b.release_hold(campaign_id, person_id, reason=reason),
                lambda _: done,
                then,
            )

        text = ("What an undo restored gives way to Salesforce's present state with the next sync.", "Why:")
        self.ask_text(what, text, release, does="release")

    def start_refresh(self, view: CampaignView, *more: CampaignView) -> None:
        """Refresh; it only brings in what the service decided, so it is not asked about."""
        ids = tuple(each.campaign.id for each in (view, *more))
        title = plural(len(ids), "campaign") if more else view.campaign.name
        self.start_run(f"{title} › Refresh", lambda b, cancel: b.refresh(ids, cancel=cancel))

    def start_verify(self, view: CampaignView, *more: CampaignView) -> None:
        """Verify the named campaigns, or all of them."""
        from console.screens.dialogs import Choice

        views = (view, *more)
        chosen = tuple(each.campaign.id for each in views)
        named = plural(len(views), "marked campaign") if more else view.campaign.name
        started = sum(known.started for known in self.shared.campaigns)

        def verify(which: str) -> None:
            ids = chosen if which == "one" else None
            title = f"{named} › Verify" if ids else "All campaigns › Verify"
            if which:
                self.start_run(title, lambda b, cancel: b.verify(ids, cancel=cancel))

        self.choose(
            "Compare both sides afresh; nothing is written.",
            (
                Choice("o", "one", named, f"about {plural(sum(2 + v.total // 10000 for v in views), 'call')}"),
                Choice(
                    "a",
                    "all",
                    f"all {plural(started, 'campaign')} with editions",
                    "about a dozen calls by one Bulk query",
                ),
            ),
            verify,
        )

    def start_clear_auto(self, view: CampaignView) -> None:
        """Ask, then take auto-sync off a closed campaign."""
        campaign = view.campaign

        def clear(answer: str) -> None:
            if answer == "y":
                self.small(
                    f"{campaign.name} › auto-sync off",
                    lambda b, cancel: b.clear_auto_sync(campaign.id),
                    lambda _: f"Auto-sync of {campaign.name} is off.",
                )

        self.ask(
            f"Take auto-sync off {campaign.name}?",
            ("The campaign is closed. Its box PAM__Auto_Sync__c is cleared in Salesforce: 1 call.",),
            (("y", "clear it", "y"),),
            clear,
        )
