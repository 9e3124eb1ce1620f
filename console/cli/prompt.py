"""The command line inside the console: what the colon prompt offers beyond the console's own keys, as text.

Commands that write whole campaigns are left to the console's screens, which show the plan first; here nobody could be
asked. Called from worker threads.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from console.cli.invocation import Invocation
from console.cli.parser import parse
from console.cli.table import COMMANDS
from sync.errors import PredictiveError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace

_HARMLESS_RUNS = ("plan", "verify")


def commands(options: Namespace) -> dict[str, Callable[[Sequence[str]], str]]:
    """Name → function of the words behind it, with the configuration and org that the console was opened with."""
    common = [f"{name}={value}" for name, value in (("--config", options.config), ("--org", options.org)) if value]
    if options.read_only:
        common.append("--read-only")
    offered = [item.name for item in COMMANDS if item.prompt and (not item.run or item.name in _HARMLESS_RUNS)]

    def bind(name: str) -> Callable[[Sequence[str]], str]:
        return lambda words: run([*common, *name.split(), *words])

    return {name: bind(name) for name in offered}


def run(words: Sequence[str]) -> str:
    """What the command would have printed, with the line of an error that came after it.

    Raises:
        PredictiveError: the command failed and printed nothing.
    """
    from console.report import HumanReport
    from sync.clock import SystemClock

    said = io.StringIO()
    report = HumanReport(said, said)
    try:
        options = parse(words)
    except SystemExit:
        raise UsageError("help is for the shell", remedy="? shows the keys") from None
    options.json = False
    invocation = Invocation(options, lambda: report, SystemClock(), asks=False)
    module, function = options.command.handler.split(":")
    try:
        getattr(import_module(module), function)(invocation)
    except PredictiveError as error:
        if not said.getvalue():
            raise
        said.write(error.line())
    finally:
        invocation.close()
    return said.getvalue().rstrip("\n")
