"""The configuration of the org, key by key: what holds, what it may hold, changed after a check; secrets never shown.

Imports Textual, ``console.config`` and the base screen. What is written goes into the file line by line, so that its
comments stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import ComposeResult

from console.config import Document, Setting, backup_of, read, typed, write
from console.keys import Situation
from console.messages import RowMoved, RowOpened
from console.present import Line, cells, clean, crop, crop_line, fit, width_of, wrap
from console.screens.base import ConsoleScreen, bindings_for
from console.setting_texts import SECTIONS, text_of
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.errors import PredictiveError
from sync.secrets import Secret

Row = Setting | str
"""A key, or the heading of a part."""


def shown(value: Any) -> str:
    """A value as people write it."""
    if value is None or value == () or value == []:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    home = str(Path.home())
    text = clean(str(value))
    return (f"~{text.removeprefix(home)}" if text.startswith(home) else text) or '""'


def row(item: Row, width: int, sources: dict[str, str]) -> Line:
    """One line of the list."""
    if isinstance(item, str):
        return (("   ", ""), (SECTIONS[item], "strong"))
    size = 34 if width >= 100 else 26 if width >= 76 else 22
    if item.secret is not None:
        value = sources.get(item.key, "looking …")
        tone = "attention" if value.startswith("nowhere") else "dim"
        return (("   ", ""), ("  ", ""), (fit(item.key, size), ""), (crop(value, width - size - 6), tone))
    note = "" if item.given else "default"
    value = crop(shown(item.value), width - size - 16)
    gap = max(1, width - 6 - size - cells(value) - len(note))
    return (
        ("   ", ""),
        ("  ", ""),
        (fit(item.key, size), "" if item.given else "dim"),
        (value, "strong" if item.given else "dim"),
        (" " * gap, ""),
        (note, "faint"),
    )


class SettingsScreen(ConsoleScreen):
    """Settings."""

    PLACE = "settings"
    BINDINGS = bindings_for("settings")
    filter_hint = "words of a key, a part or what it is for"

    def __init__(self) -> None:
        super().__init__()
        self._document: Document | None = None
        self._rows: Sequence[Row] = ()
        self._sources: dict[str, str] = {}
        self._trouble: PredictiveError | None = None
        self._text = ""

    def body(self) -> ComposeResult:
        """File, keys, what the one under the cursor is for."""
        yield Lines(id="head")
        yield Grid(self._line, id="grid")
        yield Lines(id="remedy", classes="gap")

    def on_mount(self) -> None:
        """Read the file, then look where secrets come from."""
        self._read()
        self._look_for_secrets()

    def _read(self) -> None:
        path = self.host.outside.config
        if path is None:
            return
        try:
            self._document = read(path, self.host.door.name, self.host.outside.env)
            self._trouble = None
        except PredictiveError as error:
            self._trouble = error

    def _look_for_secrets(self) -> None:
        refs = [setting for setting in self._settings() if setting.secret is not None]

        def look() -> dict[str, str]:
            found: dict[str, str] = {}
            for setting in refs:
                assert setting.secret is not None
                said: list[str] = []
                try:
                    got = setting.secret.resolve(say=said.append)
                except PredictiveError as error:
                    found[setting.key] = error.line()
                else:
                    found[setting.key] = f"from {got.source}" if got else "; ".join(["nowhere", *said])
            return found

        async def wait() -> None:
            self._sources = await self.host.bridge.aside(look)
            self.refresh_all()

        if refs:
            self.load(wait, "secrets", long=True)

    def _settings(self) -> tuple[Setting, ...]:
        return self._document.settings if self._document else ()

    def situation(self) -> Situation:
        """The app's, and whether a key is chosen."""
        return replace(self.host.situation(), rows=self._chosen is not None)

    # ------------------------------------------------------------ painting

    def paint(self) -> None:
        """What passes the filter, under the headings of its parts."""
        rows: list[Row] = []
        part: str | None = None
        order = list(SECTIONS)
        for setting in sorted(self._settings(), key=lambda setting: order.index(setting.section)):
            words = f"{setting.section} {setting.key} {text_of(setting.section, setting.key)}".casefold()
            if not all(word in words for word in self._text.casefold().split()):
                continue
            if setting.section != part:
                part = setting.section
                rows.append(part)
            rows.append(setting)
        self._rows = rows
        grid = self.query_one(Grid)
        grid.empty = self._teaching()
        if not grid.cursor and rows:
            grid.cursor = 1
        grid.show(len(rows))
        self.query_one("#head", Lines).show((self._head(), ()))
        self._paint_about()

    def _head(self) -> Line:
        path = self.host.outside.config
        parts = [("   Settings", "strong"), (f"   {clean(self.host.door.name)}", "")]
        if self._text:
            parts += [(" · ", "faint"), ("/ ", "key"), (self._text, "")]
        if path is not None:
            # Of the path the end tells most; what is typed comes first.
            room = self.size.width - width_of(tuple(parts)) - 5
            where = shown(path)
            parts.append((f" · {where if cells(where) <= room else '…' + where[-max(1, room - 1) :]}", "dim"))
        return crop_line(tuple(parts), self.size.width)

    def _teaching(self) -> tuple[Line, ...]:
        if self._trouble is not None:
            return tuple((("   ", ""), (part, "attention")) for part in wrap(self._trouble.line(), self.size.width - 6))
        if self._document is not None:
            return ((("   No key passes. ", "dim"), ("esc", "key"), (" takes the filter away.", "dim")),)
        return (
            (("   There is no configuration file here.", "dim"),),
            (("   predictive init writes one to start from.", "dim"),),
        )

    def _paint_about(self) -> None:
        setting = self._chosen
        lines: list[Line] = []
        if setting is not None:
            allowed = (
                f"Allowed: {setting.rule.allowed}." if setting.rule else "It is typed unseen and kept in the keyring."
            )
            for text, tone in ((text_of(setting.section, setting.key), ""), (allowed, "dim")):
                lines += [(("   ", ""), (part, tone)) for part in wrap(text, self.size.width - 6)[:2]]
        self.query_one("#remedy", Lines).show(tuple(lines))

    @property
    def _chosen(self) -> Setting | None:
        cursor = self.query_one(Grid).cursor
        found = self._rows[cursor] if cursor < len(self._rows) else None
        return found if isinstance(found, Setting) else None

    def _line(self, index: int, width: int) -> Line:
        return row(self._rows[index], width, self._sources)

    def on_row_moved(self, message: RowMoved) -> None:
        """Another key's sentence."""
        self._paint_about()
        self.paint_keys()

    def filtered(self, text: str) -> None:
        """Show what passes."""
        self._text = text
        self.paint()

    def filter_text(self) -> str:
        """The present filter."""
        return self._text

    # ------------------------------------------------------------ changing

    def on_row_opened(self, message: RowOpened) -> None:
        """Change the key under the cursor."""
        self.perform("change")

    def do_change(self) -> None:
        """Ask for the new value; a flag is turned after a question."""
        setting = self._chosen
        if setting is None:
            return
        if setting.secret is not None:
            self._ask_secret(setting)
        elif isinstance(setting.value, bool):
            self._ask_flag(setting)
        else:
            now = "" if setting.value is None else str(setting.value)
            if isinstance(setting.value, list | tuple):
                now = "[" + ", ".join(f'"{each}"' for each in setting.value) + "]"
            about = (text_of(setting.section, setting.key), f"Allowed: {setting.rule.allowed}." if setting.rule else "")
            self.host.ask_text(setting.key, about, partial(self._take, setting), does="write it", value=now)

    def _ask_flag(self, setting: Setting) -> None:
        new = not setting.value
        self.host.ask(
            f"{setting.key}: {shown(setting.value)} → {shown(new)}?",
            (text_of(setting.section, setting.key),),
            (("y", f"write {shown(new)}", "y"),),
            lambda answer: self._write(setting, new) if answer == "y" else None,
        )

    def _ask_secret(self, setting: Setting) -> None:
        ref = setting.secret
        assert ref is not None
        text = [text_of("secrets", setting.key), "It goes to the keyring, or else to the owner-only secrets file."]
        if ref.env.get(ref.env_name):
            text.append(f"{ref.env_name} is set and comes first.")

        def keep(value: str) -> None:
            self.load(partial(self._keep, setting, Secret(value)), "secret", long=True)

        self.host.ask_text(setting.key, text, keep, does="keep it", hidden=True)

    async def _keep(self, setting: Setting, secret: Secret) -> None:
        ref = setting.secret
        assert ref is not None
        said: list[str] = []
        where = await self.host.bridge.aside(lambda: ref.keep(secret, say=said.append))
        why = f"{said[0]}; " if said else ""
        self.host.reopen(self.host.door.name)
        self.say(f"{setting.key}: {why}kept in the {where}.", "✔", "good")
        self._look_for_secrets()

    def _take(self, setting: Setting, answer: str) -> None:
        try:
            value = typed(setting, answer)
        except PredictiveError as error:
            self.say_error(error)
            return
        self._write(setting, value)

    def do_unset(self) -> None:
        """The default holds again."""
        setting = self._chosen
        if setting is None or setting.secret is not None:
            return
        if not setting.given:
            self.say(f"{setting.key} is not in the file; its default holds.", "·", "attention")
            return
        self.host.ask(
            f"Take {setting.key} out of the file?",
            (text_of(setting.section, setting.key), "Its default holds then. Its line stays as a comment."),
            (("y", "take it out", "y"),),
            lambda answer: self._write(setting, None) if answer == "y" else None,
        )

    def _write(self, setting: Setting, value: Any) -> None:
        if self._document is None:
            return
        try:
            edited = write(self._document, setting, value, self.host.outside.env)
        except PredictiveError as error:
            self._read()
            self.refresh_all()
            self.say_error(error)
            return
        self._read()
        if setting.section == "console":
            self.host.look_as(self._document.look)
        else:
            self.host.reopen(self.host.door.name)
        self.refresh_all()
        lost = "" if edited.commented else " Its comments could not be kept."
        said = "takes its default" if value is None else f"is {shown(value)}"
        self.say(f"{setting.key} {said}. The file as it was: {backup_of(self._document.path).name}.{lost}", "✔", "good")
