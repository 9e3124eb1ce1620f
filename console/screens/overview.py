"""The overview: every campaign on a line, what needs a person beneath.

Imports Textual, the pure view modules and the base screen; what a key starts is the app's.
"""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal

from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.present import Line
from console.screens import overview_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.viewstate import ORDERS, OverviewState, visible
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.views import CampaignView


class OverviewScreen(ConsoleScreen):
    """All campaigns."""

    PLACE = "overview"
    BINDINGS = bindings_for("overview")

    def __init__(self) -> None:
        super().__init__()
        self.state = OverviewState()
        self.rows: tuple[CampaignView, ...] = ()

    def body(self) -> ComposeResult:
        """The list, the side panel of wide terminals, warnings, legend."""
        yield Lines(id="filter")
        with Horizontal(id="list"):
            yield Grid(self._row, self._head, id="grid")
            yield Lines(id="side")
        yield Lines(id="legend", classes="gap")
        yield Lines(id="warnings", classes="gap")

    # ------------------------------------------------------------ state to widgets

    def paint(self) -> None:
        """Filter, order, keep the cursor on its campaign."""
        shared = self.host.shared
        self.rows = visible(self.state, shared.campaigns)
        grid = self.query_one(Grid)
        self.set_class(self.size.width >= 168, "sided")
        total, found = len(shared.campaigns), len(self.rows)
        self.query_one("#filter", Lines).show(look.filter_line(self.state.text, found, total))
        place = next((i for i, view in enumerate(self.rows) if view.campaign.id == self.state.chosen), 0)
        if not self.rows:
            grid.empty = look.nothing_found(self.state.text) if self.state.text else look.teaching(shared.loaded)
        grid.show(len(self.rows), cursor=place)
        self._paint_chosen()
        below = sum(len(self.query_one(name, Lines).lines) + 1 for name in ("#warnings", "#legend"))
        below += len(self.query_one("#filter", Lines).lines)
        high = len(self.rows) + 1 if self.rows else self.room
        self.query_one("#list").styles.height = max(3, min(high, self.room - below))

    def _paint_chosen(self) -> None:
        shared, chosen, width = self.host.shared, self.chosen, self.size.width
        free = self.room - len(self.rows) - 4
        most = max(3 if self.size.height >= 22 else 1, min(8, free))
        warnings = look.warning_lines(shared.campaigns, chosen, width, most)
        self.query_one("#warnings", Lines).show(warnings)
        legend = look.legend_line(chosen, width)
        self.query_one("#legend", Lines).show((legend,) if legend else ())
        if width >= 168:
            self.query_one("#side", Lines).show(look.detail_lines(chosen, shared.now, 40))

    def _head(self, width: int) -> Line:
        return look.head(width, self.state)

    def _row(self, index: int, width: int) -> Line:
        return look.row(self.rows[index], width, self.host.shared.now)

    @property
    def chosen(self) -> CampaignView | None:
        """The campaign under the cursor."""
        cursor = self.query_one(Grid).cursor
        return self.rows[cursor] if 0 <= cursor < len(self.rows) else None

    def situation(self) -> Situation:
        """The app's, and what the chosen campaign allows."""
        return self.host.about(self.chosen, replace(self.host.situation(), rows=bool(self.rows)))

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Another campaign is chosen."""
        view = self.rows[message.index]
        self.state = replace(self.state, chosen=view.campaign.id)
        self._paint_chosen()
        self.paint_keys()

    def on_row_opened(self, message: RowOpened) -> None:
        """Into the campaign."""
        self.host.open_campaign(self.rows[message.index].campaign.id)

    def filtered(self, text: str) -> None:
        """Show what passes."""
        self.state = replace(self.state, text=text)
        self.paint()
        self.paint_keys()

    def filter_text(self) -> str:
        """The present filter."""
        return self.state.text

    def choose(self, campaign_id: str) -> None:
        """Put the cursor on a campaign."""
        self.state = replace(self.state, chosen=campaign_id)
        self.refresh_all()

    def do_unfilter(self) -> None:
        """Esc on the first screen takes the filter away."""
        self.filtered("")

    def do_sort(self) -> None:
        """The next order."""
        order = ORDERS[(ORDERS.index(self.state.order) + 1) % len(ORDERS)]
        self.state = replace(self.state, order=order, reverse=False)
        self.paint()
        self.say(f"Ordered by {'what needs you' if order == 'attention' else order}. O turns it round.")

    def do_reverse(self) -> None:
        """The same order, the other way."""
        self.state = replace(self.state, reverse=not self.state.reverse)
        self.paint()

    def do_sync(self) -> None:
        """Preview a manual sync."""
        if self.chosen:
            self.host.start_plan((self.chosen.campaign.id,))

    def do_new_edition(self) -> None:
        """Ask, then the initial sync."""
        if self.chosen:
            self.host.start_new_edition(self.chosen)

    def do_refresh(self) -> None:
        """Level and reason, now."""
        if self.chosen:
            self.host.start_refresh(self.chosen)

    def do_verify(self) -> None:
        """Ask, then compare afresh."""
        if self.chosen:
            self.host.start_verify(self.chosen)

    def do_clear_auto(self) -> None:
        """Ask, then take auto-sync off."""
        if self.chosen:
            self.host.start_clear_auto(self.chosen)

    def do_load(self) -> None:
        """Read the org's list."""
        self.host.start_load()
