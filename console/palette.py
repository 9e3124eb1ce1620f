"""Commands by name: the ``:`` prompt, which takes what the command line takes, and the palette that finds them.

Imports Textual's palette types; campaigns are resolved by the backend, further commands come in from outside.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from console.cli.table import BY_NAME, usage
from console.cli.table import Command as ShellCommand
from console.keys import EVERYWHERE, KEYS
from console.present import clean, crop
from sync.words import plural

if TYPE_CHECKING:
    from console.commandwork import CommandWork


Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the prompt that has a screen of its own; all others print what they print in the shell.

    Attributes:
        name: as on the command line.
        do: what it does with the app and the arguments (ids when *campaigns*).
        campaigns: it takes campaigns, which are resolved before *do* is called with their ids.
        takes: words that it understands beside campaigns; with any other word the shell's own command is meant.
        own: what it is for, when the shell has no such command.
    """

    name: str
    do: Callable[[CommandWork, Words], None]
    campaigns: bool = False
    takes: Words = ()
    own: str = ""

    @property
    def usage(self) -> str:
        """As typed, from the one table of commands."""
        known = BY_NAME.get(self.name)
        return usage(known) if known is not None else f"{self.name}{' CAMPAIGN' if self.campaigns else ''}"

    @property
    def text(self) -> str:
        """What it is for, from the one table of commands."""
        known = BY_NAME.get(self.name)
        return known.help if known is not None else self.own

    def understands(self, words: Words) -> bool:
        """True when it can do what these words ask for."""
        if self.campaigns:
            return bool(words) and not any(word.startswith("--") for word in words)
        return set(words) <= set(self.takes)


def _view(app: CommandWork, ids: tuple[str, ...], act: str) -> None:
    view = app.campaign(ids[0]) if ids else None
    if view is not None:
        getattr(app, act)(view)


def _batch(app: CommandWork, words: tuple[str, ...]) -> None:
    kind = next((word for word in words if word in ("hourly", "nightly")), "")
    if not kind:
        app.do_batch()
        return
    app.start_batch(f"simulate {kind}" if "--simulate" in words else kind)


def _open(app: CommandWork, ids: tuple[str, ...]) -> None:
    if ids:
        app.open_campaign(ids[0])


COMMANDS: tuple[Command, ...] = (
    Command("campaigns", lambda app, words: app.do_view_overview()),
    Command("campaign", _open, True, own="open a campaign"),
    Command("members", lambda app, ids: app.open_campaign(ids[0], "members"), True),
    Command("editions", lambda app, ids: app.open_campaign(ids[0], "editions"), True),
    Command("plan", lambda app, ids: app.start_plan(ids), True),
    # The same as plan: in the console nothing is written without its preview.
    Command("sync", lambda app, ids: app.start_plan(ids), True),
    Command("new-edition", lambda app, ids: _view(app, ids, "start_new_edition"), True),
    Command("refresh", lambda app, ids: _view(app, ids, "start_refresh"), True),
    Command("verify", lambda app, ids: _view(app, ids, "start_verify"), True),
    Command("unlock", lambda app, ids: _view(app, ids, "start_unlock"), True, own="lift a lock-out"),
    Command("pause", lambda app, ids: _view(app, ids, "start_pause_one"), True, own="timers leave it out, or not"),
    Command("errors", lambda app, words: app.do_view_errors(), own="failed rows by type"),
    Command("batch", _batch, takes=("hourly", "nightly", "--simulate")),
    Command("runs", lambda app, words: app.do_view_runs()),
    Command("schedule", lambda app, words: app.do_view_schedule()),
    Command("limits", lambda app, words: app.do_view_api()),
    Command("doctor", lambda app, words: app.do_view_doctor()),
    Command("log", lambda app, words: app.do_view_log(), own="what the program did"),
    Command("settings", lambda app, words: app.do_view_settings(), own="the configuration"),
    Command("org", lambda app, words: app.do_orgs(), own="open another org of the configuration"),
    Command("help", lambda app, words: app.do_help(), own="all keys"),
    Command("quit", lambda app, words: app.do_quit(), own="leave"),
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


def meant(line: str, shell: Container[str]) -> tuple[Command | None, str, Words]:
    """What a typed line means: a command with a screen, or the name of one of the shell's, and its words.

    Args:
        shell: names of the shell's commands that the prompt offers, such as ``schedule pause``.
    """
    name, words = parse(line)
    if words and f"{name} {words[0]}" in shell:
        return None, f"{name} {words[0]}", words[1:]
    found = find(name)
    if found is not None and (found.understands(words) or found.name not in shell):
        return found, found.name, words
    return None, name, words


def complete(line: str, commands: Iterable[str], campaigns: Iterable[str]) -> str | None:
    """*line* with what most likely follows: the rest of a command's name, or of a campaign's."""
    name, space, typed = line.partition(" ")
    if not space:
        return next((known for known in sorted(commands) if name and known.startswith(name)), None)
    found = find(name)
    known = BY_NAME.get(name)
    if not (found.campaigns if found else known is not None and _takes_campaign(known)):
        return None
    quote = '"' if typed.startswith('"') else ""
    begun = typed.removeprefix('"').casefold()
    if not begun or not (quote or found):
        return None
    names = (clean(each) for each in campaigns)
    rest = next((each for each in names if each.casefold().startswith(begun)), None)
    return None if rest is None else f"{name} {quote}{rest}{quote}"


def _takes_campaign(command: ShellCommand) -> bool:
    return any(argument.name == "CAMPAIGN" for argument in command.arguments)


def needs_words(name: str) -> bool:
    """True when the command cannot be run without arguments."""
    found = find(name)
    if found is not None and found.name == name:
        return found.campaigns
    known = BY_NAME.get(name)
    return known is not None and any(
        argument.required or (not argument.is_option and argument.count in ("", "+")) for argument in known.arguments
    )


_NOT_HERE = ("open", "show", "open_run", "prompt", "palette")


class ConsoleCommands(Provider):
    """Palette: what the keys of this screen do, the views, and campaigns by name."""

    @property
    def _host(self) -> CommandWork:
        return cast("CommandWork", self.app)

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

    def _commands(self) -> list[tuple[str, str, Callable[[], None]]]:
        """Every command of the prompt; one that needs words is begun in the prompt. And the other orgs."""
        host = self._host
        entries: list[tuple[str, str, Callable[[], None]]] = []
        named = {command.name: command.text for command in COMMANDS}
        named |= {name: BY_NAME[name].help for name in host.extra_commands if name not in named}
        for name, text in named.items():
            run = partial(host.front.begin_prompt, f"{name} ") if needs_words(name) else partial(host.command, name)
            entries.append((f": {name}", text, run))
        others = (org for org in host.outside.orgs if org != host.door.name)
        opens = "opens this org of the configuration"
        return entries + [(f"Org: {clean(org)}", opens, partial(host.switch, org)) for org in others]

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
        for name, text, run in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score * 0.95, Content(name), run, text=name, help=text)
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
                    help=f"{view.state} · {plural(view.total, 'member')}",
                )
