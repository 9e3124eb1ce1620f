"""The overview: every campaign on a line, what needs a person beneath.

Imports Textual, the pure view modules and the base screen; what a key starts is the app's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal

from console import savedviews
from console.filters import problem
from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.orders import ORDERS
from console.present import Line
from console.screens import overview_view as look
from console.screens.base import bindings_for
from console.screens.filter_view import filter_lines
from console.screens.verbs import CampaignKeys
from console.viewstate import OverviewState, visible
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.views import CampaignView


class OverviewScreen(CampaignKeys):
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
        yield Lines(id="pulse")

    # ------------------------------------------------------------ state to widgets

    def paint(self) -> None:
        """Filter, order, keep the cursor on its campaign."""
        shared = self.host.shared
        self.rows = visible(self.state, shared.campaigns)
        grid = self.query_one(Grid)
        self.set_class(self.size.width >= 168, "sided")
        total, found = len(shared.campaigns), len(self.rows)
        text = self.state.text
        lines = filter_lines(text, found, total, self.size.width, problem=problem(text))
        self.query_one("#filter", Lines).show(lines)
        place = next((i for i, view in enumerate(self.rows) if view.campaign.id == self.state.chosen), 0)
        if not self.rows:
            grid.empty = (
                look.nothing_found(self.state.text, self.size.width)
                if self.state.text
                else look.teaching(shared.loaded, shared.trouble, self.size.width)
            )
        grid.show(len(self.rows), cursor=place)
        self._paint_chosen()
        gap = 0 if self.has_class("short") else 1
        below = sum(len(self.query_one(name, Lines).lines) + gap for name in ("#warnings", "#legend"))
        below += len(self.query_one("#filter", Lines).lines) + 1
        self.query_one("#pulse", Lines).show((look.pulse_line(shared.pulse, shared.now, self.size.width),))
        high = len(self.rows) + 1 if self.rows else self.room
        if self.has_class("sided"):
            # The panel is seen whole beside a short list, and nothing moves when another campaign is chosen.
            high = max(high, look.PANEL_LINES)
        self.query_one("#list").styles.height = max(3, min(high, self.room - below))

    def _paint_chosen(self) -> None:
        shared, chosen, width = self.host.shared, self.chosen, self.size.width
        free = self.room - len(self.rows) - 4
        most = max(3 if self.size.height >= 22 else 1, min(8, free))
        warnings = look.warning_lines(shared.campaigns, chosen, width, most)
        self.query_one("#warnings", Lines).show(warnings)
        legend = look.marked_line(self.marked) if self.state.marked else look.legend_line(chosen, width)
        self.query_one("#legend", Lines).show((legend,) if legend else ())
        if width >= 168:
            self.query_one("#side", Lines).show(look.detail_lines(chosen, shared.now, 40))

    def _head(self, width: int) -> Line:
        return look.head(width, self.state)

    def _row(self, index: int, width: int) -> Line:
        view = self.rows[index]
        return look.row(view, width, self.host.shared.now, marked=view.campaign.id in self.state.marked)

    @property
    def chosen(self) -> CampaignView | None:
        """The campaign under the cursor."""
        cursor = self.query_one(Grid).cursor
        return self.rows[cursor] if 0 <= cursor < len(self.rows) else None

    @property
    def subject(self) -> CampaignView | None:
        """The campaign under the cursor."""
        return self.chosen

    @property
    def marked(self) -> tuple[CampaignView, ...]:
        """The marked campaigns, also those that the filter hides now."""
        return tuple(view for view in self.host.shared.campaigns if view.campaign.id in self.state.marked)

    def situation(self) -> Situation:
        """The app's, and what the chosen campaign allows; of several marked ones, what any of them allows."""
        now = replace(self.host.situation(), rows=bool(self.rows))
        marked = self.marked
        if not marked:
            return self.host.about(self.chosen, now)
        return replace(
            self.host.about(marked[0], now),
            marked=len(marked),
            started=any(view.started for view in marked),
            closed=all(view.state == "closed" for view in marked),
            locked="" if any(not view.locked for view in marked) else "all that are marked",
        )

    def _allowed(self, may: Callable[[CampaignView], bool]) -> tuple[CampaignView, ...]:
        """The marked campaigns of which *may* holds, or the one under the cursor; says how many are left out."""
        if not self.state.marked:
            return (self.chosen,) if self.chosen else ()
        marked = self.marked
        kept = tuple(view for view in marked if may(view))
        if len(kept) < len(marked):
            self.say(f"{len(marked) - len(kept)} of {len(marked)} marked campaigns cannot take part; left out.")
        return kept

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
        """Esc on the first screen takes the marks away, then the filter."""
        if self.state.marked:
            self._mark(frozenset())
        else:
            self.filtered("")

    def do_mark(self) -> None:
        """Mark the campaign under the cursor, or not any more, and go on to the next."""
        if self.chosen:
            self._mark(self.state.marked ^ {self.chosen.campaign.id})
            self.query_one(Grid).action_move(1)

    def do_mark_all(self) -> None:
        """Mark all that the filter shows, or none."""
        every = frozenset(view.campaign.id for view in self.rows)
        self._mark(frozenset() if every <= self.state.marked else self.state.marked | every)

    def _mark(self, marked: frozenset[str]) -> None:
        self.state = replace(self.state, marked=marked)
        self.query_one(Grid).repaint()
        self._paint_chosen()
        self.paint_keys()

    def do_sort(self) -> None:
        """Menu: any column; the present one turns round."""
        from console.screens.dialogs import Choice

        def label(name: str) -> str:
            return "what needs you" if name == "attention" else "last sync" if name == "last" else name

        choices = tuple(
            Choice(
                order.letter,
                order.name,
                label(order.name),
                f"{order.text} {'▴' if self.state.reverse else '▾'}" if order.name == self.state.order else order.text,
            )
            for order in ORDERS
        )
        self.host.choose("Order the campaigns by", choices, self._ordered_by)

    def _ordered_by(self, name: str) -> None:
        if name:
            again = name == self.state.order
            self.state = replace(self.state, order=name, reverse=again and not self.state.reverse)
            self.paint()

    # ------------------------------------------------------------ saved views

    @property
    def _kept(self) -> Path | None:
        """The file of the saved views: beside the last view, in the org's state folder."""
        return self.host.last_view.with_name("views.json") if self.host.last_view else None

    def do_views(self) -> None:
        """Menu: a saved view, or save the present one."""
        from console.screens.dialogs import Choice

        letters = iter("abcdefghijklmnopqrtuvwyz")
        own = savedviews.read(self._kept)
        views = (*savedviews.BUILT_IN, *own)
        choices = [
            Choice(letter, view.name, view.name, f"{view.text or 'no filter'} · by {view.order}")
            for view, letter in zip(views, letters, strict=False)
        ]
        nowhere = "" if self._kept else "this console keeps no files"
        choices.append(Choice("s", "\nsave", "save this view", "the present filter and order, under a name", nowhere))
        none = nowhere or ("" if own else "none is saved")
        choices.append(Choice("x", "\ndelete", "delete a view", "one that was saved here", none))
        self.host.choose("Views", choices, self._chose_view)

    def _chose_view(self, name: str) -> None:
        if name == "\nsave":
            self._save_view()
            return
        if name == "\ndelete":
            self._choose_view_to_delete()
            return
        views = (*savedviews.BUILT_IN, *savedviews.read(self._kept))
        found = next((view for view in views if view.name == name), None)
        if found is not None:
            self.state = replace(self.state, text=found.text, order=found.order, reverse=found.reverse)
            self.refresh_all()

    def _choose_view_to_delete(self) -> None:
        from console.screens.dialogs import Choice

        choices = [
            Choice(letter, view.name, view.name, view.text or "no filter")
            for letter, view in zip("abcdefghijklmnopqrstuvwxyz", savedviews.read(self._kept), strict=False)
        ]
        self.host.choose("Delete which view?", choices, self._ask_to_delete)

    def _ask_to_delete(self, name: str) -> None:
        view = next((view for view in savedviews.read(self._kept) if view.name == name), None)
        if view is None:
            return

        def delete(answer: str) -> None:
            if answer == "y":
                self._keep_views(savedviews.without_view(savedviews.read(self._kept), name), f"“{name}” is deleted.")

        filtered = f"Filter “{view.text}”" if view.text else "No filter"
        self.host.ask(
            f"Delete the view “{name}”?",
            (f"{filtered}, ordered by {view.order}. The list on screen stays as it is.",),
            (("y", "delete it", "y"),),
            delete,
            cancel="keep it",
        )

    def _keep_views(self, views: Sequence[savedviews.SavedView], done: str) -> None:
        if self._kept is None:
            return
        try:
            savedviews.write(self._kept, views)
        except OSError as error:
            self.say(f"The views cannot be written: {error.strerror or error}. They are as they were.", "✖", "trouble")
        else:
            self.say(done, "✔", "good")

    def _save_view(self) -> None:
        state = self.state

        def save(name: str) -> None:
            new = savedviews.SavedView(name, state.text, state.order, state.reverse)
            kept = savedviews.with_view(savedviews.read(self._kept), new)
            self._keep_views(kept, f"Saved as “{name}”. V offers it.")

        about = f"Filter “{state.text}”" if state.text else "No filter"
        self.host.ask_text("Save this view", (f"{about}, ordered by {state.order}.",), save, does="save")

    def do_reverse(self) -> None:
        """The same order, the other way."""
        self.state = replace(self.state, reverse=not self.state.reverse)
        self.paint()

    def do_sync(self) -> None:
        """Preview a manual sync."""
        views = self._allowed(lambda view: view.started and view.state != "closed" and not view.locked)
        if views:
            self.host.start_plan(tuple(view.campaign.id for view in views))

    def do_refresh(self) -> None:
        """Level and reason, now."""
        views = self._allowed(lambda view: view.started and not view.locked)
        if views:
            self.host.start_refresh(*views)

    def do_verify(self) -> None:
        """Ask, then compare afresh."""
        views = self._allowed(lambda view: view.started)
        if views:
            self.host.start_verify(*views)
