"""Opens the console on a configured org. Nothing but Textual is loaded before its first paint."""

from __future__ import annotations

import gc
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import UsageError

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.settings import OrgSettings


def console(invocation: Invocation) -> int:
    """The console, until it is left."""
    need_terminal()
    # Start-up only makes objects that stay; looking through them again and again costs a tenth of the first paint.
    # The app switches the collector on again after it.
    gc.disable()
    settings = invocation.org_settings()
    from console.app import run_console
    from console.bridge import shell_backends
    from console.cli.prompt import commands

    read_only = True if invocation.options.read_only else None
    return run_console(
        shell_backends(settings, clock=invocation.clock, read_only=read_only),
        org_name=settings.name,
        mode=mode(settings, read_only=invocation.options.read_only),
        clock=invocation.clock,
        mouse=not invocation.options.no_mouse,
        last_view=last_view(settings),
        commands=commands(invocation.options),
    )


def need_terminal() -> None:
    """Raises UsageError where there is no terminal to paint on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the console needs a terminal", remedy="every other command works without one: predictive --help"
        )


def mode(settings: OrgSettings, *, read_only: bool) -> str:
    """What the top line says of writing."""
    if read_only or settings.read_only:
        return "read-only"
    return "PRODUCTION" if settings.production else "writes"


def last_view(settings: OrgSettings) -> Path:
    """The small file that the first frame comes from, one for each state."""
    from platformdirs import user_cache_path

    which = "-".join(f"{zlib.crc32(part.encode()):08x}" for part in (settings.state_url, settings.name))
    return user_cache_path("predictive-console", appauthor=False) / f"last-view-{which}.json"
