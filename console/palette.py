"""Commands by name: the ``:`` prompt, which takes what the command line takes, and the palette that finds them.

Imports Textual's palette types; campaigns are resolved by the backend, further commands come in from outside.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from console.keys import EVERYWHERE, KEYS
from console.present import clean, crop

if TYPE_CHECKING:
    from console.work import Work


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the prompt.

    Attributes:
        name: as on the command line.
        usage: its arguments.
        text: one sentence.
        campaigns: it takes campaigns, which are resolved before *do* is called with their ids.
        do: what it does with the app and the arguments (ids when *campaigns*).
    """

    name: str
    usage: str
    text: str
    do: Callable[[Work, tuple[str, ...]], None]
    campaigns: bool = False


def _view(app: Work, ids: tuple[str, ...], act: str) -> None:
    view = app.campaign(ids[0]) if ids else None
    if view is not None:
        getattr(app, act)(view)


def _batch(app: Work, words: tuple[str, ...]) -> None:
    kind = next((word for word in words if word in ("hourly", "nightly")), "")
    if not kind:
        app.do_batch()
        return
    app.start_batch(f"simulate {kind}" if "--simulate" in words else kind)


def _schedule(app: Work, words: tuple[str, ...]) -> None:
    app.do_view_schedule()


def _open(app: Work, ids: tuple[str, ...]) -> None:
    if ids:
        app.open_campaign(ids[0])


COMMANDS: tuple[Command, ...] = (
    Command("campaigns", "", "the list of campaigns", lambda app, words: app.do_view_overview()),
    Command("campaign", "CAMPAIGN", "one campaign", _open, True),
    Command("members", "CAMPAIGN", "its members", lambda app, ids: app.open_campaign(ids[0], "members"), True),
    Command("editions", "CAMPAIGN", "its editions", lambda app, ids: app.open_campaign(ids[0], "editions"), True),
    Command("plan", "CAMPAIGN…", "preview a manual sync", lambda app, ids: app.start_plan(ids), True),
    Command(
        "sync",
        "CAMPAIGN…",
        "the same: nothing is written without its preview",
        lambda app, ids: app.start_plan(ids),
        True,
    ),
    Command("new-edition", "CAMPAIGN", "initial sync", lambda app, ids: _view(app, ids, "start_new_edition"), True),
    Command("refresh", "CAMPAIGN", "level and reason, now", lambda app, ids: _view(app, ids, "start_refresh"), True),
    Command("verify", "CAMPAIGN", "compare both sides afresh", lambda app, ids: _view(app, ids, "start_verify"), True),
    Command("unlock", "CAMPAIGN", "lift a lock-out", lambda app, ids: _view(app, ids, "start_unlock"), True),
    Command(
        "pause", "CAMPAIGN", "timers leave it out, or not", lambda app, ids: _view(app, ids, "start_pause_one"), True
    ),
    Command("errors", "", "failed rows by type", lambda app, words: app.do_view_errors()),
    Command("batch", "hourly|nightly [--simulate]", "run or simulate a batch", _batch),
    Command("runs", "", "runs of the past", lambda app, words: app.do_view_runs()),
    Command("schedule", "", "the timers", _schedule),
    Command("limits", "", "the API meter", lambda app, words: app.do_view_api()),
    Command("doctor", "", "checks of the set-up", lambda app, words: app.do_view_doctor()),
    Command("help", "", "all keys", lambda app, words: app.do_help()),
    Command("quit", "", "leave", lambda app, words: app.do_quit()),
)


def parse(line: str) -> tuple[str, tuple[str, ...]]:
    """Name and arguments of a typed line, as a shell would split it; an open quote ends with the line."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    if words and words[0] == "predictive":
        words = words[1:]
    return (words[0], tuple(words[1:])) if words else ("", ())


def find(name: str) -> Command | None:
    """The command of this name or, if it is the only one, that begins so."""
    exact = next((command for command in COMMANDS if command.name == name), None)
    if exact is not None:
        return exact
    begun = [command for command in COMMANDS if name and command.name.startswith(name)]
    return begun[0] if len(begun) == 1 else None


_NOT_HERE = ("open", "show", "open_run", "prompt", "palette")


class ConsoleCommands(Provider):
    """Palette: what the keys of this screen do, the views, and campaigns by name."""

    @property
    def _host(self) -> Work:
        return cast("Work", self.app)

    def _entries(self) -> list[tuple[str, str, Callable[[], None]]]:
        host = self._host
        front = host.front
        known = {key.id for key in front.key_list()}
        entries: list[tuple[str, str, Callable[[], None]]] = []
        for key in KEYS:
            if key.id in known and key.id not in _NOT_HERE and (key.label or EVERYWHERE in key.where):
                name = key.label or key.text.rstrip(".")
                entries.append(
                    (f"{name[0].upper()}{name[1:]}", f"{key.face}  {key.text}", partial(front.perform, key.id))
                )
        return entries

    async def discover(self) -> Hits:
        """The short list."""
        for name, text, run in self._entries():
            yield DiscoveryHit(Content(name), run, text=name, help=text)

    async def search(self, query: str) -> Hits:
        """Keys and campaigns that match."""
        matcher = self.matcher(query)
        for name, text, run in self._entries():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, Content(name), run, text=name, help=text)
        host = self._host
        for view in host.shared.campaigns:
            name = clean(view.campaign.name)
            score = matcher.match(name)
            if score > 0:
                ident = view.campaign.id
                yield Hit(
                    score * 0.9,
                    Content(crop(name, 60)),
                    partial(host.open_campaign, ident),
                    text=name,
                    help=f"{view.state} · {view.total:,} members",
                )
