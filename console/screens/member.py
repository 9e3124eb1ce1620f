"""One member: why each edition is mailed or not, how both sides stand, what happened. The service is asked once.

Imports Textual, the pure views and the base screen.
"""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from console.keys import Situation
from console.messages import RowMoved
from console.present import Line
from console.screens import member_view as look
from console.screens.base import TabbedScreen, bindings_for
from console.screens.dialogs import Choice
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.story import EditionStory, MemberStory


class MemberScreen(TabbedScreen):
    """The story of one member.

    Args:
        campaign_id: its campaign.
        person_id: lead or contact id.
        name: shown until the story is read.
    """

    PLACE = "member"
    TABS = look.TABS
    BINDINGS = bindings_for("member")

    def __init__(self, campaign_id: str, person_id: str, name: str) -> None:
        super().__init__()
        self._campaign_id = campaign_id
        self._person_id = person_id
        self._called = name
        self.story: MemberStory | None = None

    def body(self) -> ComposeResult:
        """Verdict and tabs, rows of the tab, the chosen one in full."""
        yield Lines(id="head")
        yield Grid(self._line, self._head, id="grid")
        yield Lines(id="chosen", classes="gap")

    def on_mount(self) -> None:
        """Ask for it."""
        self.load(self._read, "story")

    async def _read(self) -> None:
        campaign_id, person_id = self._campaign_id, self._person_id
        job = self.host.bridge.act("Why", lambda b, cancel: b.why(campaign_id, person_id), writes=False)
        self.story = await self.host.bridge.result(job)
        self.refresh_all()

    # ------------------------------------------------------------ state to widgets

    def paint(self) -> None:
        """Everything from the story."""
        story, width, now = self.story, self.size.width, self.host.shared.now
        grid = self.query_one(Grid)
        if story is None:
            self.query_one("#head", Lines).show(((("   ", ""), (self._called, "strong")), ()))
            grid.empty = ((("   Predictive is asked what it knows of this member …", "dim"),),)
            grid.show(0)
            return
        self.query_one("#head", Lines).show(look.head_lines(story, self.tab, now, width))
        grid.empty = ((("   Nothing is known here: the service has no such member.", "dim"),),)
        rows = self._count()
        grid.styles.height = max(2, min(rows + 1, self.room // 2)) if self.tab == "mailing" and rows else "1fr"
        grid.show(rows)
        self._paint_chosen()

    def _count(self) -> int:
        story = self.story
        if story is None:
            return 0
        return {"mailing": len(story.editions), "fields": len(story.fields), "story": len(story.steps)}[self.tab]

    def _head(self, width: int) -> Line:
        return {"mailing": look.edition_head, "fields": look.field_head, "story": look.step_head}[self.tab](width)

    def _line(self, index: int, width: int) -> Line:
        story, now = self.story, self.host.shared.now
        assert story is not None
        if self.tab == "mailing":
            return look.edition_row(story.editions[index], now, width)
        if self.tab == "fields":
            return look.field_row(story.fields[index], width)
        return look.step_row(story.steps[index], now, width)

    @property
    def edition(self) -> EditionStory | None:
        """The edition under the cursor."""
        cursor = self.query_one(Grid).cursor
        rows = self.story.editions if self.story else ()
        return rows[cursor] if self.tab == "mailing" and cursor < len(rows) else None

    def _paint_chosen(self) -> None:
        story, width, cursor = self.story, self.size.width, self.query_one(Grid).cursor
        lines: tuple[Line, ...] = ()
        if story is not None and self.tab == "mailing":
            used = len(self.query_one("#head", Lines).lines) + min(len(story.editions) + 1, self.room // 2) + 1
            lines = look.condition_lines(self.edition, width, max(4, self.room - used))
        elif story is not None and self.tab == "fields" and cursor < len(story.fields):
            lines = (look.field_line(story.fields[cursor], width),)
        elif story is not None and cursor < len(story.steps):
            lines = look.step_lines(story.steps[cursor], width)
        self.query_one("#chosen", Lines).show(lines)

    def situation(self) -> Situation:
        """What can be done for the member now."""
        story = self.story
        return replace(
            self.host.situation(),
            rows=bool(self._count()),
            suppressed=bool(story and story.suppressions),
            holding=bool(story and any(field.state == "held" for field in story.fields)),
        )

    # ------------------------------------------------------------ what happens

    def on_row_moved(self, message: RowMoved) -> None:
        """Tell about another row."""
        self._paint_chosen()

    def do_ask_again(self) -> None:
        """Ask the service anew."""
        self.load(self._read, "story")

    def do_opt_in(self) -> None:
        """From which edition on, why; then the opt-in."""
        story = self.story
        if story is None:
            return
        letters = "abcdefghijklmnopqrstuvwxz"
        choices = tuple(
            Choice(letter, str(edition.slot), f"from {edition.slot} {edition.name} on", f"now: {edition.verdict}")
            for letter, edition in zip(letters, story.editions, strict=False)
        )
        self.host.choose("Opt in again: which edition may be the first? None before it is ever mailed.",
                         choices, self._why_opt_in)  # fmt: skip

    def _why_opt_in(self, slot: str) -> None:
        if not slot:
            return
        ident, person = self._campaign_id, self._person_id

        def go(reason: str) -> None:
            self.host.small(
                "Opt in",
                lambda b, cancel: b.opt_in(ident, person, from_edition=slot, reason=reason),
                lambda done: " ".join(done.told) or f"Opted in from edition {slot} on.",
                self._read,
            )

        text = ("Who asked for it, and when: it is kept in the journal.",)
        self.host.ask_text(f"Opt in from edition {slot} on", text, go, does="opt in")

    def do_release(self) -> None:
        """Give what an undo holds back to the rules of ownership."""
        self.host.start_release(
            self._campaign_id,
            self._person_id,
            what="Release what is held",
            done="Released; the next sync applies what Salesforce has.",
            then=self._read,
        )
