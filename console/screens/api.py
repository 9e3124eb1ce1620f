"""The API meter: the org's figure, ours hour by hour, who spent it, what was wasted, and what is to come.

Imports Textual, the pure view and the base screen; asking the org is a key, never a timer.
"""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.present import Line
from console.screens import api_view as look
from console.screens.base import TabbedScreen, bindings_for
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.views import CampaignView, Spending, Waste


class ApiScreen(TabbedScreen):
    """The meter over the lists of spenders."""

    PLACE = "api"
    TABS = look.TABS
    BINDINGS = bindings_for("api")

    def __init__(self) -> None:
        super().__init__()
        self.spending: Spending | None = None

    def body(self) -> ComposeResult:
        """Meter, tabs, list, remedy."""
        yield Lines(id="head")
        yield Lines(id="tabs", classes="gap")
        yield Grid(self._line, id="grid")
        yield Lines(id="chosen")

    def on_mount(self) -> None:
        """Read who spent."""
        self.load(self._read, "spending")

    async def _read(self) -> None:
        self.spending = await self.host.bridge.read(lambda backend: backend.spending())
        self.refresh_all()

    def run_went_on(self, job: int) -> None:
        """A run ended: read anew."""
        if self.host.bridge.writing is None:
            self.load(self._read, "spending")

    # ------------------------------------------------------------ state to widgets

    def paint(self) -> None:
        """From what all screens share, and the spending."""
        shared, width = self.host.shared, self.size.width
        self.query_one("#head", Lines).show(look.head_lines(shared.limits, self.spending, shared.now, width))
        self.query_one("#tabs", Lines).show((look.tab_line(self.tab, self.spending), ()))
        grid = self.query_one(Grid)
        grid.empty = look.nothing_lines(self.tab, self.spending is not None)
        grid.show(self._count())
        self._paint_chosen()

    def _count(self) -> int:
        if self.spending is None:
            return 0
        return len(self.spending.waste) if self.tab == "waste" else len(look.spenders(self.spending, self.tab))

    def _line(self, index: int, width: int) -> Line:
        assert self.spending is not None
        if self.tab == "waste":
            return look.waste_row(self.spending.waste[index], width)
        return look.spender_row(look.spenders(self.spending, self.tab)[index], self.spending.total, width)

    @property
    def waste(self) -> Waste | None:
        """The waste under the cursor."""
        cursor = self.query_one(Grid).cursor
        rows = self.spending.waste if self.spending else ()
        return rows[cursor] if self.tab == "waste" and cursor < len(rows) else None

    @property
    def campaign(self) -> CampaignView | None:
        """The campaign under the cursor."""
        if self.waste is not None:
            return self.host.campaign(self.waste.campaign_id or "")
        rows, cursor = look.spenders(self.spending, self.tab), self.query_one(Grid).cursor
        return self.host.campaign(rows[cursor].key) if self.tab == "campaigns" and cursor < len(rows) else None

    def _paint_chosen(self) -> None:
        self.query_one("#chosen", Lines).show((look.waste_line(self.waste, self.size.width),))

    def situation(self) -> Situation:
        """What the campaign under the cursor allows."""
        return self.host.about(self.campaign, replace(self.host.situation(), rows=bool(self._count())))

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Another spender."""
        self._paint_chosen()
        self.paint_keys()

    def on_row_opened(self, message: RowOpened) -> None:
        """Into the campaign."""
        if self.campaign is not None:
            self.host.open_campaign(self.campaign.campaign.id)

    def do_clear_auto(self) -> None:
        """Ask, then take auto-sync off."""
        if self.campaign:
            self.host.start_clear_auto(self.campaign)

    def do_ask_meter(self) -> None:
        """One call."""
        self.say("Asking the org: 1 Salesforce call …", "◐")
        self.host.small(
            "API meter", lambda backend, cancel: backend.load_limits(), lambda _: "The org's meter is read."
        )
