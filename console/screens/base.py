"""What every screen has in common: the two lines on top, the note, the prompt, the key bar, and keys from the table.

Imports Textual and the console's own pure modules; the app is known by type only, so that no screen imports it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.events import Resize
from textual.geometry import Size
from textual.widget import Widget
from textual.worker import Worker

from console.filters import FIELDS
from console.frames import Whole
from console.keys import EVERYWHERE, KEYS, Key, Situation, hints, keys_for
from console.messages import CommandTyped, FilterChanged
from console.screens.topline_view import news_lines, top_lines
from console.widgets.bars import Hints, Note, Top
from console.widgets.grid import Grid
from console.widgets.paint import Lines, forget
from console.widgets.prompt import Prompt
from console.widgets.repaint import Repainter
from sync.errors import PredictiveError

if TYPE_CHECKING:
    from console.app import ConsoleApp


def bindings_for(*places: str) -> list[BindingType]:
    """Textual bindings for every key of *places*; what a key does is looked up in the table when it is pressed.

    Enter belongs to the grid, which tells by a message which row was opened.
    """
    names = {
        name
        for key in KEYS
        if EVERYWHERE in key.where or set(key.where) & set(places)
        for name in key.keys
        if name != "enter"
    }
    return [Binding(name, f"press('{name}')", show=False) for name in sorted(names)]


class Body(Vertical):
    """What is between the lines on top and the key bar; its height changes when a note or prompt opens."""

    def on_unmount(self) -> None:
        """Nothing of it is painted again."""
        forget(self)

    def on_resize(self, event: Resize) -> None:
        """Let the screen lay out its lists anew."""
        if isinstance(self.screen, ConsoleScreen) and self.screen.ready:
            self.screen.paint()


class ConsoleScreen(Whole[None]):
    """A full screen. Subclasses give ``body``, ``places``, ``situation`` and a ``do_ID`` for each of their keys."""

    AUTO_FOCUS = "Grid"
    BINDINGS: ClassVar[list[BindingType]] = []
    PLACE = ""
    _painted_for: Size | None = None
    stop_key: tuple[str, ...] = ("overview",)

    def __init__(self) -> None:
        super().__init__()
        self._compositor = Repainter()
        self._loading: dict[str, tuple[object, bool]] = {}

    # ------------------------------------------------------------ for subclasses

    def body(self) -> ComposeResult:
        """The widgets between the lines on top and the key bar."""
        yield from ()

    def places(self) -> tuple[str, ...]:
        """Names under which the key table knows this screen now."""
        return (self.PLACE,)

    def situation(self) -> Situation:
        """What decides which keys can be used now."""
        return self.host.situation()

    def paint(self) -> None:
        """Show the present view state in the body."""

    @property
    def room(self) -> int:
        """Lines that the body has; before the first layout, those it will have without note and prompt."""
        known = self.query_one("#body").content_size.height
        return known or max(1, self.size.height - (3 if self.has_class("short") else 4))

    def run_went_on(self, job: int) -> None:
        """A job told something new, or the clock went on while one runs."""

    def jump_points(self) -> tuple[tuple[int, int, Callable[[], None]], ...]:
        """Column, line and action of places that jump letters reach beside the rows of lists."""
        return ()

    def copied(self) -> tuple[str, str]:
        """Text to copy and what it is called: the row under the cursor, or what the body shows."""
        grid = next(iter(self.query(Grid)), None)
        if grid is not None and grid.count and grid.show_cursor:
            return grid.text_of(grid.cursor), "The row"
        shown = [line for lines in self.query("#body Lines").results(Lines) for line in lines.lines]
        texts = ["".join(text for text, _ in line).rstrip() for line in shown]
        if grid is not None and grid.count:
            texts += [grid.text_of(index) for index in range(grid.count)]
        return "\n".join(texts).strip("\n"), "The text"

    def filtered(self, text: str) -> None:
        """The filter's text changed."""

    def filter_text(self) -> str:
        """The present filter."""
        return ""

    filter_hint = "words, " + " ".join(f"{name}:" for name in list(FIELDS)[:3]) + " members>500 ~regex   ! means not"

    # ------------------------------------------------------------ frame

    @property
    def host(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)

    def on_unmount(self) -> None:
        """Nothing of it is painted again."""
        forget(self)

    def compose(self) -> ComposeResult:
        """The frame around the body."""
        yield Top(id="top")
        yield Top(id="news")
        with Body(id="body"):
            yield from self.body()
        yield Note(id="note")
        yield Hints(id="keys")

    def on_resize(self, event: Resize) -> None:
        """Paint for the new size; low terminals lose their blank lines."""
        if event.size != self._painted_for:
            # The same size is told several times while a screen opens.
            self.refresh_all()

    def on_screen_resume(self) -> None:
        """Back on top: show what happened meanwhile."""
        self.refresh_all()

    @property
    def ready(self) -> bool:
        """Its widgets are there: not before they are composed, and not any more once they are taken away."""
        if not (self.is_mounted and self.is_running and self.query("#keys")):
            return False
        # An app that shuts down begins no widget any more, though the screen that was opening ends with being mounted.
        return self.query_one("#body").is_mounted

    def refresh_all(self) -> None:
        """Paint the frame and the body."""
        if self.ready:
            self._painted_for = self.size
            self.set_class(self.size.height < 22, "short")
            self.paint_top()
            self.paint()
            self.paint_keys()

    def paint_top(self) -> None:
        """The two lines on top."""
        if not self.ready:
            return
        shared, run = self.host.shared, self.host.live_run
        self.query_one("#top", Top).show(top_lines(shared, self.size.width))
        words = ""
        if run is not None:
            from console.screens.run_view import progress_words

            words = progress_words(run, shared.now)
        self.query_one("#news", Top).show(*news_lines(shared, run, words))

    def paint_keys(self) -> None:
        """The key bar; that one is here already needs no key."""
        here = f"view_{self.PLACE}"
        keys = tuple(key for key in self.key_list() if key.id != here)
        self.query_one(Hints).show(hints(keys, self.situation()))

    def key_list(self) -> tuple[Key, ...]:
        """Keys that work here."""
        return keys_for(*self.places())

    # ------------------------------------------------------------ keys

    async def action_press(self, name: str) -> None:
        """Do what the table says for this key, or say why it cannot be done now."""
        key = next((key for key in self.key_list() if name in key.keys), None)
        if key is not None:
            self.perform(key.id)

    def perform(self, id: str) -> None:
        """Do what has this id, unless there is a reason not to."""
        key = next((key for key in self.key_list() if key.id == id), None)
        if key is None:
            return
        note = self.query_one(Note)
        if reason := key.why(self.situation()):
            note.say("·", "attention", reason)
            return
        if id != "help":
            note.hush()
        do = getattr(self, f"do_{id}", None) or getattr(self.host, f"do_{id}", None)
        if do is not None:
            do()

    def do_back(self) -> None:
        """Esc: back to where one was."""
        if self.filter_text():
            self.filtered("")
            self.refresh_all()
            return
        self.host.back()

    @property
    def open_prompt(self) -> Prompt | None:
        """The prompt that is open or opening."""
        return next((prompt for prompt in self.query(Prompt) if not prompt.left), None)

    # ------------------------------------------------------------ filter and command

    def do_filter(self) -> None:
        """Open the filter line."""
        self.ask_line("/", self.filter_text(), self.filter_hint)

    def do_prompt(self) -> None:
        """Open the command line."""
        self.begin_prompt("")

    def begin_prompt(self, text: str) -> None:
        """Open the command line with *text* in it; what most likely follows is shown and taken by tab."""
        from console.palette import COMMANDS, complete

        host = self.host
        names = {*(command.name for command in COMMANDS), *host.extra_commands}

        def suggest(line: str) -> str | None:
            return complete(line, names, (view.campaign.name for view in host.shared.campaigns))

        hint = "sync CAMPAIGN · plan · runs · schedule · limits · doctor · help · quit   tab completes"
        self.ask_line(":", text, hint, suggest)

    def ask_line(self, sign: str, text: str, hint: str, suggest: Callable[[str], str | None] | None = None) -> None:
        """Open a prompt above the key bar."""
        if self.open_prompt is None:
            self.mount(Prompt(sign, text, hint, suggest), before="#keys")

    def on_filter_changed(self, message: FilterChanged) -> None:
        """Filter while one types; give the keys back when done."""
        if message.done:
            self.close_line()
        self.filtered(message.text.strip())

    def on_command_typed(self, message: CommandTyped) -> None:
        """Run the command."""
        self.close_line()
        if message.text.strip():
            self.host.command(message.text.strip())

    def close_line(self) -> None:
        """Take the prompt away."""
        for prompt in self.query(Prompt):
            prompt.left = True
            # Its parts are taken away one by one, which nobody is to see.
            prompt.display = False
            prompt.remove()
        target: Widget | None = next(iter(self.query(Grid)), None)
        if target is not None:
            target.focus()

    # ------------------------------------------------------------ saying and loading

    def say(self, text: str, glyph: str = "·", tone: str = "accent") -> None:
        """A calm line above the key bar."""
        if self.ready:
            self.query_one(Note).say(glyph, tone, text)

    def alert(self, text: str, glyph: str, tone: str) -> None:
        """What changed by itself, beneath what a key is answered."""
        if self.ready:
            self.query_one(Note).alert(glyph, tone, text)

    def say_error(self, error: PredictiveError) -> None:
        """An error with what, where, what was left undone and the remedy."""
        self.say(error.line(), "✖", "trouble")

    @property
    def loads(self) -> int:
        """Loads under way; a screen that opens is painted when its first ones are done."""
        return len(self._loading)

    @property
    def reading(self) -> bool:
        """Something is read from the store that keys typed ahead are meant for."""
        return not all(long for _, long in self._loading.values())

    def load(self, work: Callable[[], Awaitable[None]], group: str = "load", *, long: bool = False) -> None:
        """Run *work* beside the keys; an error becomes a note. A newer load of the same group replaces the older.

        Args:
            work: called when its turn has come; one that is replaced before never begins.
            long: it waits for more than the store; keys do not wait for it.
        """
        mine = object()
        self._loading[group] = (mine, long)

        async def guarded() -> None:
            try:
                await work()
            except PredictiveError as error:
                self.say_error(error)
            except NoMatches:
                # The answer came when the screen was gone: nobody is there to be shown it.
                if self.ready:
                    raise
            finally:
                if self._loading.get(group, (None, long))[0] is mine:
                    self._loading.pop(group)
                # What a screen beneath has read is no reason to show one that still opens.
                if not self._loading and self.host.in_front and self.host.front is self:
                    self.host.let_go()

        _: Worker[None] = self.run_worker(guarded, group=group, exclusive=True, exit_on_error=True)


class TabbedScreen(ConsoleScreen):
    """A screen whose one grid shows one of several lists; each begins at its top. Subclasses name ``TABS``."""

    TABS: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.tab = self.TABS[0]

    def _go(self, step: int) -> None:
        self.tab = self.TABS[(self.TABS.index(self.tab) + step) % len(self.TABS)]
        self.query_one(Grid).cursor = 0
        self.refresh_all()

    def do_tab(self) -> None:
        """The next list."""
        self._go(1)

    def do_tab_back(self) -> None:
        """The list before."""
        self._go(-1)
