"""One campaign: overview, members, editions, clicks, runs in tabs over one grid.

Members are read by windows, 100,000 of them like ten. Imports Textual, the pure views and the base screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from textual.app import ComposeResult

from console.backend import Backend
from console.keys import Situation
from console.memberquery import ONLY, Asked, MemberQuery
from console.messages import RowMoved, RowOpened, RowsWanted
from console.present import Line
from console.screens import campaign_view as look
from console.screens import charts_view as charts
from console.screens import runs_view
from console.screens.base import bindings_for
from console.screens.filter_view import filter_lines, nothing_passes
from console.screens.verbs import CampaignKeys
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from console.window import Window
from sync.model import ClickThrough, Edition, HistoryHour, Level
from sync.views import CampaignDetail, CampaignView, MemberView, RunView
from sync.words import plural

_PLACES = {
    "members": ("campaign", "members"),
    "runs": ("campaign", "campaign_runs"),
    "clicks": ("campaign", "clicks"),
    "history": ("campaign", "clicks"),
    "metrics": ("campaign", "metrics"),
}


T = TypeVar("T")


def _after(ring: Sequence[T], here: T) -> T:
    return ring[(ring.index(here) + 1) % len(ring)] if here in ring else ring[0]


class CampaignScreen(CampaignKeys):
    """One campaign.

    Args:
        campaign_id: its id, 18 characters.
        tab: the tab that is shown first; "" for the one that tells most.
    """

    PLACE = "campaign"
    BINDINGS = bindings_for("campaign", "members", "campaign_runs", "clicks", "metrics")

    def __init__(self, campaign_id: str, tab: str = "") -> None:
        super().__init__()
        self.campaign_id = campaign_id
        self.tab = tab or "editions"
        self.detail: CampaignDetail | None = None
        self._cursors: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._query = MemberQuery()
        self._found: int | None = None
        self._counted: Asked | None = None
        self._members: Window[MemberView] = Window()
        self._asked: set[int] = set()

    def body(self) -> ComposeResult:
        """Head with tabs, one grid, lines about what is chosen."""
        yield Lines(id="head")
        yield Grid(self._line, self._head, id="grid")
        yield Lines(id="chosen", classes="gap")

    def on_mount(self) -> None:
        """Read it."""
        self.load(self._read, "detail")

    async def _read(self) -> None:
        ident = self.campaign_id
        self.detail = await self.host.bridge.read(lambda backend: backend.detail(ident))
        await self._count()
        self.refresh_all()

    async def _count(self) -> None:
        ident, asked, before = self.campaign_id, self._query.asked(), self._found
        self._found = await self.host.bridge.read(lambda backend: backend.count_members(ident, **asked))
        same, self._counted = asked == self._counted and before == self._found, asked
        self._asked.clear()
        if same and self.tab == "members":
            # What is on screen stays there, and answers keys, until it is read anew.
            first, last = self.query_one(Grid).seen()
            numbers = list(range(first // self._members.page, last // self._members.page + 1))
            self._members.keep("all", numbers)
            await self._fetch(numbers)
        else:
            self._members.clear()
            if self.tab == "members" and self._found:
                # What passes now is there before it is painted, so that no list of blanks is.
                await self._fetch([0])

    # ------------------------------------------------------------ state to widgets

    @property
    def view(self) -> CampaignView | None:
        """The campaign as last read."""
        return self.detail.view if self.detail else self.host.campaign(self.campaign_id)

    @property
    def subject(self) -> CampaignView | None:
        """The campaign."""
        return self.view

    def paint(self) -> None:
        """Head, rows of the tab, what is chosen."""
        view, width, now = self.view, self.size.width, self.host.shared.now
        members = self._found
        if view is not None and not (members or self._query):
            # None was read yet: the tab says what the org counts, as the overview does.
            members = view.total
        head: list[Line] = [look.title_line(view, now, width), look.tab_line(self.tab, self.detail, members, width), ()]
        filtered = look.members_line(self._found, self._query)
        if self.tab == "members" and filtered:
            head += [filtered, ()]
        if self.tab in ("clicks", "history") and self.detail:
            whole = self.detail.click_throughs if self.tab == "clicks" else self.detail.history
            head += filter_lines(self.filter_text(), self._count_rows(), len(whole), width)
        if self.tab == "history" and self.detail and self.detail.history:
            head += [charts.history_line(self.detail.history, now.date(), width), ()]
        self.query_one("#head", Lines).show(tuple(head))
        grid = self.query_one(Grid)
        count = self._count_rows()
        grid.empty = self._empty()
        grid.show_cursor = self.tab not in ("overview", "metrics")
        if not self._grows():
            grid.styles.height = max(1, min(count + 1, self.size.height - 12)) if count else "1fr"
        else:
            grid.styles.height = "1fr"
        grid.windowed = self.tab == "members"
        grid.show(count, cursor=self._cursors.get(self.tab, 0))
        self._paint_chosen()

    def _grows(self) -> bool:
        return self.tab not in ("editions",)

    def _count_rows(self) -> int:
        detail = self.detail
        if self.tab == "members":
            return self._found or 0
        if detail is None:
            return 0
        return {
            "editions": len(detail.editions),
            "clicks": len(self._clicks()),
            "history": len(self._hours()),
            "runs": len(detail.runs),
        }.get(self.tab, 0)

    def _empty(self) -> tuple[Line, ...]:
        view = self.view
        if view is None or self.detail is None:
            return ((("   Reading the store …", "dim"),),)
        if self.tab == "overview":
            return look.overview_lines(view, self.host.shared.now, self.size.width, self.detail.curve)
        if self.tab == "metrics":
            detail = self.detail
            return charts.metric_lines(detail.metrics, detail.metrics_at, self.host.shared.now, self.size.width)
        if self.tab == "members":
            if self._query:
                return ((("   No member is like that. ", "dim"), ("esc", "key"), (" shows all.", "dim")),)
            org = f"   The org counts {plural(view.total, 'member')}; none was read yet."
            return (
                ((org if view.total else "   No members are known yet.", "strong"),),
                (("   ", ""), ("g", "key"), (" reads both sides for display (about 2 calls).", "")),
            )
        if self.tab == "editions":
            return look.unstarted_lines(view, self.size.width)
        if self.tab == "runs":
            return runs_view.teaching()
        if self.filter_text():
            return nothing_passes("hour" if self.tab == "history" else "page")
        if self.tab == "history":
            return ((("   No e-mail was sent yet; the hourly run sends what is due.", "dim"),),)
        return ((("   No page was clicked yet; clicks come with the hourly run.", "dim"),),)

    def _hours(self) -> tuple[HistoryHour, ...]:
        if self.detail is None:
            return ()
        names = charts.edition_names(self.detail.editions)
        return charts.history_rows(self.detail.history, self._texts.get("history", ""), names)

    def _clicks(self) -> tuple[ClickThrough, ...]:
        text = self._texts.get("clicks", "").casefold()
        found = self.detail.click_throughs if self.detail else ()
        return tuple(sorted((c for c in found if text in c.url.casefold()), key=lambda click: -click.hits))

    def _head(self, width: int) -> Line:
        if self.tab == "runs":
            return runs_view.head(width, named=False)
        return {
            "members": look.members_head,
            "editions": look.editions_head,
            "clicks": look.clicks_head,
            "history": charts.history_head,
        }[self.tab](width)

    def _line(self, index: int, width: int) -> Line | None:
        detail, now = self.detail, self.host.shared.now
        if self.tab == "members":
            member = self._members.get("all", index)
            return None if member is None else look.member_row(member, now, width)
        assert detail is not None
        if self.tab == "editions":
            return look.edition_row(detail.editions[index], detail.history, width)
        if self.tab == "clicks":
            clicks = self._clicks()
            return look.click_row(clicks[index], clicks[0].hits, width)
        if self.tab == "history":
            hours = self._hours()
            most = max(hour.count for hour in hours)
            return charts.history_row(hours[index], most, charts.edition_names(detail.editions), width)
        return runs_view.row(detail.runs[index], now, width, named=False)

    def _paint_chosen(self) -> None:
        view, width = self.view, self.size.width
        cursor = self.query_one(Grid).cursor
        lines: tuple[Line, ...] = ()
        if view is not None and self.tab == "editions" and self.detail and self.detail.editions:
            lines = look.edition_lines(self.edition, view, width)
        elif self.tab == "members":
            lines = (look.member_line(self._members.get("all", cursor), width),)
        elif self.tab == "runs" and self.detail and cursor < len(self.detail.runs):
            lines = (runs_view.detail(self.detail.runs[cursor], width),)
        self.query_one("#chosen", Lines).show(lines)

    @property
    def edition(self) -> Edition | None:
        """The edition under the cursor."""
        cursor = self.query_one(Grid).cursor
        rows = self.detail.editions if self.detail else ()
        return rows[cursor] if self.tab == "editions" and cursor < len(rows) else None

    def places(self) -> tuple[str, ...]:
        """The campaign's keys and those of the tab."""
        return _PLACES.get(self.tab, ("campaign",))

    def situation(self) -> Situation:
        """What the campaign and the edition under the cursor allow."""
        now = self.host.about(self.view, self.host.situation())
        return replace(
            now,
            edition=self.edition is not None,
            rows=bool(self._count_rows()),
            no_undo=runs_view.no_undo(self.run_chosen),
            journal=self.run_chosen is not None,
        )

    @property
    def run_chosen(self) -> RunView | None:
        """The run under the cursor of the tab of runs."""
        cursor = self.query_one(Grid).cursor
        rows = self.detail.runs if self.detail else ()
        return rows[cursor] if self.tab == "runs" and cursor < len(rows) else None

    # ------------------------------------------------------------ members by window

    def on_rows_wanted(self, message: RowsWanted) -> None:
        """Fetch the pages that are about to be seen."""
        missing = self._members.missing("all", message.first, message.last)
        if self.tab == "members" and not self._asked.issuperset(missing):
            # The newer load takes the place of the one under way, so it asks for all that is missing in sight.
            self._asked = set(missing)
            self.load(partial(self._fetch, missing), "members")

    async def _fetch(self, numbers: list[int]) -> None:
        ident, size = self.campaign_id, self._members.page
        asked = self._query.asked()
        try:
            for number in numbers:
                offset = number * size

                def window(backend: Backend, offset: int = offset) -> tuple[MemberView, ...]:
                    return backend.members(ident, **asked, offset=offset, limit=size)

                self._members.put("all", number, await self.host.bridge.read(window))
        finally:
            if self._asked == set(numbers):
                self._asked = set()
        self.query_one(Grid).repaint()
        self._paint_chosen()

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Another row of the tab."""
        self._cursors[self.tab] = message.index
        self._paint_chosen()
        self.paint_keys()

    def on_row_opened(self, message: RowOpened) -> None:
        """A run is replayed; an edition's subject is edited."""
        if self.tab == "runs" and self.detail:
            self.host.open_past(self.detail.runs[message.index])
        elif self.tab == "members":
            self.do_why()
        elif self.tab == "editions":
            self.perform("edit")

    def run_went_on(self, job: int) -> None:
        """A run ended: read anew."""
        if self.host.bridge.writing is None:
            self.load(self._read, "detail")

    def on_screen_resume(self) -> None:
        """Back on top: what another screen did is read."""
        if self.detail is not None:
            self.load(self._read, "detail")
        super().on_screen_resume()

    def go(self, tab: str) -> None:
        """Show another tab."""
        self.tab = tab
        self.refresh_all()

    def do_tab(self) -> None:
        """The next tab."""
        self.go(look.TABS[(look.TABS.index(self.tab) + 1) % len(look.TABS)])

    def do_tab_back(self) -> None:
        """The tab before."""
        self.go(look.TABS[look.TABS.index(self.tab) - 1])

    def filtered(self, text: str) -> None:
        """Members by the store, clicks here."""
        if self._texts.get(self.tab, "") == text:
            return
        self._texts[self.tab] = text
        if self.tab == "members":
            self._query = replace(self._query, text=text)
        self._refilter()

    def _refilter(self) -> None:
        self._cursors[self.tab] = 0
        if self.tab == "members":
            self.load(self._recount, "filter")
        else:
            self.refresh_all()

    async def _recount(self) -> None:
        await self._count()
        self.refresh_all()

    def filter_text(self) -> str:
        """The present filter of this tab."""
        return self._texts.get(self.tab, "")

    def do_status(self) -> None:
        """Members of the next status, then all."""
        labels = [None, *(label for label, _ in (self.view.members if self.view else ()))]
        self._choose(replace(self._query, status=_after(labels, self._query.status)))

    def do_level(self) -> None:
        """Members of the next level, then all."""
        self._choose(replace(self._query, level=_after([None, *(level.value for level in Level)], self._query.level)))

    def do_only(self) -> None:
        """Members that are not mailed, that wait, that test, that are hidden; then all."""
        self._choose(replace(self._query, only=_after(ONLY, self._query.only)))

    def _choose(self, query: MemberQuery) -> None:
        self._query = query
        self._refilter()

    def do_back(self) -> None:
        """Esc takes the filters away, then goes back."""
        if self.tab == "members" and self._query:
            self._texts["members"] = ""
            self._choose(MemberQuery())
            return
        super().do_back()

    def do_why(self) -> None:
        """The story of the member under the cursor."""
        member = self._members.get("all", self.query_one(Grid).cursor)
        if member is None:
            self.say("The members are still being read.")
        else:
            name = " ".join(part for part in (member.first_name, member.last_name) if part) or member.person_id
            self.host.open_member(self.campaign_id, member.person_id, name)

    def do_undo(self) -> None:
        """Preview the inverse of the chosen run."""
        if self.run_chosen:
            self.host.start_undo(self.run_chosen)

    def do_rows(self) -> None:
        """Every row of the chosen run."""
        if self.run_chosen and self.view:
            self.host.open_journal(self.run_chosen.run, self.view.campaign.name)

    def do_sync(self) -> None:
        """Preview a manual sync."""
        self.host.start_plan((self.campaign_id,))

    def do_refresh(self) -> None:
        """Level and reason, now."""
        if self.view:
            self.host.start_refresh(self.view)

    def do_verify(self) -> None:
        """Ask, then compare afresh."""
        if self.view:
            self.host.start_verify(self.view)

    def do_load_members(self) -> None:
        """Read both sides for display."""
        ident = self.campaign_id
        self.say("Reading the members of both sides …", "◐")
        self.host.small(
            "Members", lambda b, cancel: b.load_members(ident), lambda n: f"{plural(n, 'member')} read.", self._read
        )

    def do_test_send(self) -> None:
        """Ask, then send the edition to the test members."""
        edition, ident = self.edition, self.campaign_id
        if edition is None:
            return

        def send(answer: str) -> None:
            if answer == "y":
                self.host.small(
                    f"Test-send {edition.name}",
                    lambda b, cancel: b.test_send(ident, edition.id),
                    lambda got: (
                        f"Sent to {plural(got[0], 'test member')}: "
                        f"{', '.join(got[1][:3])}{' …' if len(got[1]) > 3 else ''}"
                    ),
                    self._read,
                )

        self.host.ask(
            f"Send “{edition.name}” to the test members?",
            ("Only test members get it; they are in no count.",),
            (("y", "send", "y"),),
            send,
        )

    def do_activate(self) -> None:
        """Ask, then let the edition send, or hold it."""
        edition = self.edition
        if edition is None:
            return
        turn = not edition.active
        text = (
            "From the next hourly run on it is mailed to members who are due."
            if turn
            else "From now on it is mailed to nobody; what was sent stays."
        )
        self._edit(
            edition,
            {"active": turn},
            f"{'Activate' if turn else 'Deactivate'} “{edition.name}”?",
            text,
            f"{edition.name} is {'active' if turn else 'inactive'}.",
        )

    def _edit(self, edition: Edition, fields: dict[str, object], title: str, text: str, said: str) -> None:
        ident = self.campaign_id

        def change(answer: str) -> None:
            if answer == "y":
                self.host.small(
                    title, lambda b, cancel: b.edit_edition(ident, edition.id, fields), lambda _: said, self._read
                )

        self.host.ask(title, (text,), (("y", "do it", "y"),), change)

    def do_edit(self) -> None:
        """A new subject; the content comes by file from the command line."""
        edition, ident = self.edition, self.campaign_id
        if edition is None:
            return

        def change(subject: str) -> None:
            self.host.small(
                f"Subject of {edition.name}",
                lambda b, cancel: b.edit_edition(ident, edition.id, {"subject": subject}),
                lambda _: f"{edition.name} has its new subject.",
                self._read,
            )

        text = ("The content comes by file: predictive edition CAMPAIGN EDITION --html FILE",)
        self.host.ask_text(f"Subject of “{edition.name}”", text, change, does="save", value=edition.subject or "")
