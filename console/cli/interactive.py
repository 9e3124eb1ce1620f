"""Opens the console on a configured org. Nothing but Textual is loaded before its first paint."""

from __future__ import annotations

import gc
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import UsageError

if TYPE_CHECKING:
    from console.backend import Backend
    from console.cli.invocation import Invocation
    from console.cli.opening import Opening
    from console.outside import Commands, Door, Outside
    from sync.settings import OrgSettings
    from sync.views import Check


def console(invocation: Invocation) -> int:
    """The console, until it is left."""
    take_terminal(os.environ)
    # Start-up only makes objects that stay; looking through them again and again costs a tenth of the first paint.
    # The app switches the collector on again after it.
    gc.disable()
    from console.cli.opening import recall

    options = invocation.options
    found = recall(options.config, options.org) or _read(invocation)
    from console.app import run_console

    return run_console(
        _remembered(invocation, found),
        clock=invocation.clock,
        mouse=not options.no_mouse,
        dress=found.dress,
        outside=outside(
            orgs={name: partial(_reopened, invocation, name) for name in found.orgs},
            config=Path(found.config),
            bell=found.bell,
            checks=partial(_checks, invocation),
        ),
    )


def _read(invocation: Invocation) -> Opening:
    """The configuration as far as the first frame shows it, remembered for the next time. Raises ConfigError."""
    from console.cli.opening import Opening, before, remember

    options = invocation.options
    settings = invocation.load_settings()
    org = settings.org(options.org)
    assert settings.source is not None
    found = Opening(
        config=str(settings.source.absolute()),
        before=before(settings.source, settings.looked),
        org=org.name,
        orgs=tuple(sorted(settings.orgs)),
        mode=mode(org, read_only=False),
        state=state_mark(org.state_url),
        dress=settings.console.dress,
        bell=settings.console.bell,
    )
    remember(options.config, options.org, found)
    return found


def _remembered(invocation: Invocation, found: Opening) -> Door:
    """The org's door; its settings are read by the thread that opens it first."""
    from console.outside import Door

    opened: list[Callable[[], Backend]] = []

    def backend() -> Backend:
        if not opened:
            opened.append(_reopened(invocation, found.org).backend)
        return opened[0]()

    return Door(
        name=found.org,
        mode="read-only" if invocation.options.read_only else found.mode,
        backend=backend,
        last_view=last_view(found.state, found.org),
        commands=Lazily(partial(_commands, invocation, found.org)),
    )


def door(invocation: Invocation, org: OrgSettings) -> Door:
    """How the console opens *org*."""
    from console.bridge import shell_backends
    from console.outside import Door

    flag = invocation.options.read_only
    return Door(
        name=org.name,
        mode=mode(org, read_only=flag),
        backend=shell_backends(org, clock=invocation.clock, read_only=True if flag else None),
        last_view=last_view(state_mark(org.state_url), org.name),
        commands=Lazily(partial(_commands, invocation, org.name)),
    )


def _reopened(invocation: Invocation, name: str) -> Door:
    """*name* as the configuration has it now."""
    return door(invocation, invocation.load_settings().org(name))


def _commands(invocation: Invocation, org: str) -> Commands:
    from console.cli.prompt import commands

    options = copy(invocation.options)
    options.org = org
    return commands(options)


def _checks(invocation: Invocation) -> tuple[Check, ...]:
    """What doctor checks of this installation, its configuration and its terminal."""
    from console.cli.doctor import configuration, installation, terminal

    return (*installation(), *terminal(os.environ), *configuration(invocation))


def outside(
    *,
    orgs: Mapping[str, Callable[[], Door]] | None = None,
    config: Path | None = None,
    bell: bool = False,
    checks: Callable[[], tuple[Check, ...]] | None = None,
) -> Outside:
    """This machine's folders, its log and how a crash is kept."""
    from console.outside import Outside
    from console.places import exports_folder, log_file

    return Outside(
        orgs=orgs or {},
        env=os.environ,
        exports=exports_folder(),
        log=log_file(),
        config=config,
        bell=bell,
        keep_crash=_keep,
        checks=checks,
    )


def _keep(error: BaseException) -> Path | None:
    from console.cli.crash import keep

    return keep(error, os.environ)


class Lazily(Mapping[str, Callable[[Sequence[str]], str]]):
    """Commands that are listed when one is looked for: the table is long and the first paint does not show it."""

    def __init__(self, make: Callable[[], Commands]) -> None:
        self._make = make
        self._made: Commands | None = None

    @property
    def _all(self) -> Commands:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> Callable[[Sequence[str]], str]:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def take_terminal(env: Mapping[str, str]) -> None:
    """See that the console is painted on the terminal, also when standard error goes into a file.

    Raises:
        UsageError: there is no terminal to paint on, or one that can only print.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the console needs a terminal", remedy="every other command works without one: predictive --help"
        )
    if env.get("TERM", "") in ("", "dumb", "unknown"):
        raise UsageError(
            f"a terminal that says TERM={env.get('TERM', '')} can print but not paint",
            remedy="predictive campaigns, plan, sync, batch, runs, limits and schedule need no more than that "
            "(predictive --help), or set TERM, e.g. TERM=xterm",
        )
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        # Textual paints on standard error; here the terminal is standard output.
        vars(sys)["__stderr__"] = sys.__stdout__


def mode(settings: OrgSettings, *, read_only: bool) -> str:
    """What the top line says of writing."""
    if read_only or settings.read_only:
        return "read-only"
    return "PRODUCTION" if settings.production else "writes"


def state_mark(state_url: str) -> str:
    """What tells one state from another without its URL, which may hold a password."""
    return f"{zlib.crc32(state_url.encode()):08x}"


def last_view(state: str, org: str) -> Path:
    """The small file that the first frame comes from, one for each state."""
    from platformdirs import user_cache_path

    which = f"{state}-{zlib.crc32(org.encode()):08x}"
    return user_cache_path("predictive-console", appauthor=False) / f"last-view-{which}.json"
