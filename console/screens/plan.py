"""The plan screen: everything a run would write, before it is written; rows and groups can be left out.

Rows are read by windows, so the first paint does not depend on the plan's size. Imports Textual, the pure plan view,
and the bridge's job type for the plan that is being made.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from textual.app import ComposeResult
from textual.worker import Worker

from console.bridge import Job
from console.keys import Situation
from console.messages import RowMoved, RowOpened, RowsWanted
from console.present import Line, count
from console.screens import plan_view as look
from console.screens.base import ConsoleScreen, bindings_for
from console.screens.dialogs import GuardDialog
from console.screens.plan_view import Group, GroupKey, Item, Outline
from console.screens.run_view import step_lines
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from console.window import Window
from sync.errors import PredictiveError
from sync.model import Side
from sync.plan import REMOVALS, Change, Plan, PlanRow
from sync.words import plural

SMALL = 12
"""A plan of so few rows is shown open at once."""


class PlanScreen(ConsoleScreen):
    """Preview of one plan.

    Args:
        job: makes the plan.
        title: campaign's name, or how many campaigns.
        does: what the plan does, in a word or two.
    """

    PLACE = "plan"
    BINDINGS = bindings_for("plan")
    filter_hint = "name, e-mail, field or reason"

    def __init__(self, job: Job[Plan], title: str, does: str = "Synchronize") -> None:
        super().__init__()
        self._job = job
        self._title = title
        self._does = does
        self.plan: Plan | None = None
        self.outline = Outline()
        self.out: frozenset[int] = frozenset()
        self.text = ""
        self._all: tuple[Group, ...] = ()
        self._open: frozenset[GroupKey] = frozenset()
        self._rows: Window[PlanRow] = Window()
        self._asked: set[tuple[GroupKey, int]] = set()

    def body(self) -> ComposeResult:
        """Head, outline, detail of the row under the cursor."""
        yield Lines(id="head")
        yield Grid(self._line, id="grid")
        yield Lines(id="detail")

    def on_mount(self) -> None:
        """Wait for the plan beside the keys."""
        self.load(self._wait, "plan", long=True)

    async def _wait(self) -> None:
        plan = await self.host.bridge.result(self._job)
        self.host.progress.pop(self._job.number, None)
        groups, out = await self.host.bridge.read(
            lambda backend: (backend.plan_groups(plan.plan_id), frozenset(backend.rejected(plan.plan_id)))
        )
        self.plan, self.out = plan, out
        self._all = tuple(Group(side, change, rows) for side, change, rows in groups)
        telling: set[GroupKey] = {
            (side, change) for side, change, rows in groups if rows <= SMALL and change is Change.REMOVE
        }
        if plan.rows <= SMALL:
            telling = {group.key for group in self._all}
        self.outline = Outline(self._all, frozenset(telling))
        self.refresh_all()

    # ------------------------------------------------------------ state to widgets

    def paint(self) -> None:
        """Head and outline."""
        self._paint_head()
        grid = self.query_one(Grid)
        if not self.outline.length:
            run = self.host.progress.get(self._job.number)
            steps = step_lines(run, self.size.width) if run and self.plan is None else ()
            grid.empty = (*look.nothing_lines(self.plan, self.text, self.size.width), (), *steps[:3])
        grid.windowed = True
        grid.show(self.outline.length)
        self._paint_detail()

    def run_went_on(self, job: int) -> None:
        """The reading goes on."""
        if job == self._job.number and self.plan is None:
            self.paint()

    def _paint_head(self) -> None:
        shared, width, plan = self.host.shared, self.size.width, self.plan
        lines: list[Line] = [look.title_line(self._title, self._does, plan, shared.now, width)]
        if plan is not None:
            lines.append(look.cost_line(plan, self._left(), shared.limits, width))
            lines.append(())
            lines += look.cannot_lines(plan, width)
            if plan.rows:
                lines.append(look.guard_line(plan.guards, width))
            if plan.rows and any(part.skipped for part in plan.campaigns):
                lines.append(look.skipped_line(plan, width))
            if plan.counts.conflicts:
                lines.append(look.conflict_line(plan, width))
            if self.text:
                found = sum(group.rows for group in self.outline.groups)
                lines.append((("   / ", "key"), (self.text, ""), (f"  {plural(found, 'row')}", "dim")))
        self.query_one("#head", Lines).show((*lines, ()))

    def _paint_detail(self) -> None:
        item = self._item()
        row = self._row_of(item) if item else None
        group = self.outline.group((item.side, item.change)) if item and item.change else None
        out = row is not None and row.seq in self.out
        self.query_one("#detail", Lines).show(
            ((), *look.detail_lines(row, group, out, self.size.width, self._where(row)))
        )

    def _where(self, row: PlanRow | None) -> str:
        if row is None or self.plan is None or len(self.plan.campaigns) < 2:
            return ""
        return next((part.name for part in self.plan.campaigns if part.campaign_id == row.campaign_id), "")

    def _line(self, index: int, width: int) -> Line | None:
        item = self.outline.at(index)
        if item is None:
            return ()
        if item.change is None:
            return look.side_row(item.side, self.outline.groups, width)
        group = self.outline.group((item.side, item.change))
        if item.offset is None and group is not None:
            return look.group_row(group, group.key in self.outline.opened, self._note(group), width)
        row = self._row_of(item)
        return None if row is None else look.row_line(row, row.seq in self.out, width)

    def _note(self, group: Group) -> str:
        if group.change is not Change.REMOVE or self.plan is None:
            return ""
        guard = next((v for v in self.plan.guards if v.rule == "deletes" and v.passed), None)
        if guard is None:
            return ""
        # Of several campaigns the sentence names the one that comes nearest to its limit.
        return guard.text if len(self.plan.campaigns) > 1 else f"the guard allows {count(int(guard.limit))}"

    def _item(self) -> Item | None:
        return self.outline.at(self.query_one(Grid).cursor)

    def _row_of(self, item: Item) -> PlanRow | None:
        if item.offset is None or item.change is None:
            return None
        return self._rows.get((item.side, item.change), item.offset)

    def _left(self) -> int:
        return (self.plan.rows if self.plan else 0) - len(self.out)

    def _removals(self) -> int:
        return sum(group.rows - group.out for group in self._all if group.change in REMOVALS)

    def situation(self) -> Situation:
        """What is left of the plan."""
        return replace(
            self.host.situation(),
            plan=self.plan is not None,
            rows=bool(self.outline.length),
            rows_in_plan=self._left() if self.plan else 0,
            removals=self._removals(),
        )

    # ------------------------------------------------------------ rows by window

    def on_rows_wanted(self, message: RowsWanted) -> None:
        """Fetch the pages that are about to be seen."""
        if self.plan is None:
            return
        wanted = [
            (key, number)
            for key, first, last in self.outline.spans(message.first, message.last)
            for number in self._rows.missing(key, first, last)
            if (key, number) not in self._asked
        ]
        if wanted:
            self._asked.update(wanted)
            _: Worker[None] = self.run_worker(partial(self._fetch, wanted, self.text), group="rows")

    async def _fetch(self, wanted: list[tuple[GroupKey, int]], text: str) -> None:
        assert self.plan is not None
        plan_id, size = self.plan.plan_id, self._rows.page
        for (side, change), number in wanted:
            offset = number * size

            def window(
                backend: object, side: Side = side, change: Change = change, offset: int = offset
            ) -> tuple[PlanRow, ...]:
                return backend.plan_rows(plan_id, text=text, side=side, change=change, offset=offset, limit=size)  # type: ignore[attr-defined,no-any-return]

            try:
                rows = await self.host.bridge.read(window)
            except PredictiveError as error:
                self.say_error(error)
                return
            finally:
                self._asked.discard(((side, change), number))
            if text == self.text:
                self._rows.put((side, change), number, rows)
        if self.ready:
            # Rows may come when the plan was left already.
            self.query_one(Grid).repaint()
            self._paint_detail()

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Tell about another row."""
        self._paint_detail()

    def on_row_opened(self, message: RowOpened) -> None:
        """Open or close the group."""
        item = self.outline.at(message.index)
        if item is None or item.change is None:
            return
        key = (item.side, item.change)
        self.outline = replace(self.outline, opened=self.outline.opened ^ {key})
        grid = self.query_one(Grid)
        grid.show(self.outline.length, cursor=self.outline.where(key))
        self._paint_detail()

    def do_toggle(self) -> None:
        """Take the row, group or side out, or put it back."""
        item = self._item()
        if item is not None and self.plan is not None:
            self.load(partial(self._toggle, self.plan.plan_id, item), "toggle")

    async def _toggle(self, plan_id: str, item: Item) -> None:
        row = self._row_of(item)
        if item.offset is not None and row is None:
            return
        text = self.text
        if row is not None:
            back = row.seq in self.out
            seqs = (row.seq,)
            await self.host.bridge.read(lambda backend: backend.set_accepted(plan_id, seqs, back))
        else:
            side, change = item.side, item.change
            own = [g for g in self.outline.groups if g.side is side and (change is None or g.change is change)]
            back = all(group.out >= group.rows for group in own)
            await self.host.bridge.read(
                lambda backend: backend.set_accepted(plan_id, None, back, change=change, side=side, text=text)
            )
        await self._recount(plan_id)

    async def _recount(self, plan_id: str) -> None:
        """Read which rows are out; those of each group are told by the groups' rows among them."""
        out = frozenset(await self.host.bridge.read(lambda backend: backend.rejected(plan_id)))
        moved = len(out) - len(self.out)
        item = self._item()
        self.out = out
        if item is not None:
            keys = {g.key for g in self._all if g.side is item.side and item.change in (None, g.change)}
            self._all = tuple(_moved(g, moved, item.change is None) if g.key in keys else g for g in self._all)
            shown = {group.key: group.rows for group in self.outline.groups}
            self.outline = replace(
                self.outline,
                groups=tuple(
                    replace(g, rows=shown[g.key], out=min(g.out, shown[g.key])) for g in self._all if g.key in shown
                ),
            )
        self.refresh_all()

    def filtered(self, text: str) -> None:
        """Only rows that have *text*, all of them open."""
        if text != self.text and self.plan is not None:
            if not self.text:
                self._open = self.outline.opened
            self.text = text
            self.load(partial(self._filter, self.plan.plan_id, text), "filter")

    def filter_text(self) -> str:
        """The present filter."""
        return self.text

    async def _filter(self, plan_id: str, text: str) -> None:
        keys = [group.key for group in self._all]
        found = await self.host.bridge.read(
            lambda backend: [
                backend.count_plan_rows(plan_id, text=text, side=side, change=change) for side, change in keys
            ]
        )
        groups = tuple(
            replace(group, rows=rows, out=min(group.out, rows))
            for group, rows in zip(self._all, found, strict=True)
            if rows
        )
        self._rows.clear()
        self._asked.clear()
        opened = frozenset(group.key for group in groups) if text else self._open
        self.outline = Outline(groups if text else self._all, opened)
        self.refresh_all()

    # ------------------------------------------------------------ applying

    def do_apply(self) -> None:
        """Ask once more, or show what a guard says."""
        plan = self.plan
        if plan is None:
            return
        if plan.refused:
            kept = self._left() - self._removals()
            passes = all(verdict.without_deletes for verdict in plan.refused)
            dialog = GuardDialog(self._name_to_type(plan), plan.refused, kept if passes else 0)
            self.app.push_screen(dialog, lambda answer: self._past_guard(plan, answer or ""))
            return
        self._confirm(plan, without_deletes=False)

    def do_apply_kept(self) -> None:
        """The same without a single removal."""
        plan = self.plan
        if plan is None:
            return
        stopping = tuple(verdict for verdict in plan.refused if not verdict.without_deletes)
        if stopping:
            self.say(stopping[0].text, "▲", "attention")
            return
        self._confirm(plan, without_deletes=True)

    def _name_to_type(self, plan: Plan) -> str:
        return plan.campaigns[0].name if len(plan.campaigns) == 1 else self.host.shared.org

    def _past_guard(self, plan: Plan, answer: str) -> None:
        if answer == "kept":
            self._confirm(plan, without_deletes=True)
        elif answer.startswith("typed:"):
            name, _, reason = answer.removeprefix("typed:").partition("\n")
            allow = {verdict.rule: verdict.figure for verdict in plan.refused}
            self._go(plan, without_deletes=False, allow=allow, reason=reason, confirm_name=name)

    def _confirm(self, plan: Plan, *, without_deletes: bool) -> None:
        left = self._left() - (self._removals() if without_deletes else 0)
        self.host.ask(
            f"Apply {plural(left, 'change')} to {self._title}?"
            if self._does == "Synchronize"
            else f"{self._does}: apply {plural(left, 'change')} to {self._title}?",
            look.apply_lines(plan, self._all, without_deletes),
            (("y", f"apply {left:,}", "y"),),
            lambda answer: self._go(plan, without_deletes=without_deletes) if answer == "y" else None,
        )

    def _go(
        self,
        plan: Plan,
        *,
        without_deletes: bool,
        allow: dict[str, float] | None = None,
        reason: str = "",
        confirm_name: str | None = None,
    ) -> None:
        host = self.host
        host.pop_screen()
        host.start_apply(
            plan,
            f"{self._title} › {self._does}",
            without_deletes=without_deletes,
            allow=allow,
            reason=reason,
            confirm_name=confirm_name,
        )

    def do_save(self) -> None:
        """Ask for a file name and save the plan."""
        plan = self.plan
        if plan is None:
            return
        name = f"plan-{plan.made_at:%Y%m%d-%H%M}.ndjson"

        def save(answer: str) -> None:
            path = Path(answer).expanduser()
            self.host.small(
                "Save plan",
                lambda backend, cancel: backend.save_plan(plan.plan_id, path),
                lambda _: f"Saved to {path}; predictive apply {path} writes it.",
            )

        about = "It can be applied later; after 7 days it is refused."
        self.host.ask_text("Save the plan to a file", (about,), save, does="save", value=name)


def _moved(group: Group, moved: int, whole_side: bool) -> Group:
    if whole_side:
        return replace(group, out=group.rows if moved > 0 else 0)
    return replace(group, out=max(0, min(group.rows, group.out + moved)))
