"""``predictive demo``: the console on embedded servers, or the scripted tour where there is no terminal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

from console.cli.interactive import mode, outside, take_terminal
from console.cli.offline import Offline
from console.cli.prose import safe
from sync.words import plural

if TYPE_CHECKING:
    from console.backend import Backend
    from console.cli.invocation import Invocation
    from console.cli.tour import Step

NAME = "demo"
CAMPAIGNS, MEMBERS = 12, 120


def demo(invocation: Invocation) -> int:
    """The console on a terminal, else the tour."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if invocation.options.headless or invocation.options.json or not terminal:
        return headless(invocation)
    take_terminal(os.environ)
    return opened(invocation)


def opened(invocation: Invocation) -> int:
    """The console; the servers start beside it, so that the first paint waits for nothing."""
    offline = Offline(name=NAME, timers=True, campaigns=CAMPAIGNS, members=MEMBERS)
    try:
        from console.app import run_console
        from console.cli.prompt import commands
        from console.outside import Door

        own = copy(invocation.options)
        own.config, own.org = str(offline.config), NAME
        listed = threading.Lock()
        known: list[bool] = []

        def backend() -> Backend:
            from console.bridge import shell_backends

            settings = offline.settings()
            with listed:
                if not known:
                    # A new store knows no campaign; an empty list would be a poor first sight.
                    with offline.shell(clock=invocation.clock, on_event=lambda _: None) as shell:
                        shell.load_campaigns()
                    known.append(True)
            return shell_backends(settings, clock=invocation.clock, read_only=invocation.options.read_only or None)()

        view = offline.folder / "last-view.json"

        def door(kind: str) -> Door:
            return Door(NAME, kind, backend, last_view=view, commands=commands(own))

        def reopened() -> Door:
            """As its configuration has it by now: settings can be tried here, too."""
            return door(mode(offline.settings(), read_only=invocation.options.read_only))

        return run_console(
            door("read-only" if invocation.options.read_only else "writes"),
            clock=invocation.clock,
            mouse=not invocation.options.no_mouse,
            outside=outside(orgs={NAME: reopened}, config=offline.config),
        )
    finally:
        offline.close()


def headless(invocation: Invocation) -> int:
    """The tour, step by step; a step that breaks ends it with 1."""
    from console.cli.tour import Tour

    offline = Offline(name=NAME, campaigns=CAMPAIGNS, members=MEMBERS)
    try:
        with offline.shell(clock=invocation.clock, on_event=lambda _: None) as shell:
            tour = Tour(offline, shell, invocation.clock)
            if invocation.options.json:
                invocation.report.items(map(_line, tour.steps()), (), lambda _: [], empty="")
            else:
                _print(invocation, tour.steps())
    finally:
        offline.close()
    return 0


def _line(step: Step) -> dict[str, Any]:
    return {"type": "step", "title": step.title, "seconds": round(step.seconds, 3), "facts": step.facts}


def _print(invocation: Invocation, steps: Iterator[Step]) -> None:
    seconds = 0.0
    number = 0
    for number, step in enumerate(steps, 1):
        seconds += step.seconds
        heading = f"{number:>2}  {step.title}"
        lines = [f"{heading:<72} {step.seconds:5.1f} s", *(f"      {safe(line)}" for line in step.lines), ""]
        invocation.report.lines(lines, {})
    invocation.report.lines(
        [f"✔ {plural(number, 'step')} in {seconds:.1f} s. The same on a terminal: predictive demo"], {}
    )
