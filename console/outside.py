"""What the app is given of the world outside it: orgs that it can open, folders, the log, how a crash is kept.

Pure values and functions by type; the command line fills them in. Whatever is missing is said where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.backend import Backend
    from sync.views import Check

OpenBackend = Callable[[], "Backend"]
Commands = Mapping[str, Callable[[Sequence[str]], str]]
"""Commands beyond the console's own, for the ``:`` prompt: name → function of the arguments that gives text."""


@dataclass(frozen=True, slots=True)
class Door:
    """An org that can be opened.

    Attributes:
        name: as the configuration names it.
        mode: ``read-only``, ``writes`` or ``PRODUCTION``.
        backend: opens a backend; called once in each thread that needs one.
        last_view: file of the last view, None for none.
        commands: further commands of the ``:`` prompt.
    """

    name: str
    mode: str
    backend: OpenBackend
    last_view: Path | None = None
    commands: Commands = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outside:
    """This machine, as far as the app needs it.

    Attributes:
        orgs: the configuration's orgs by name, each opened when it is wanted; may raise PredictiveError.
        env: the environment, for what the terminal can do.
        exports: folder for files that people asked for.
        log: the program's log.
        config: the configuration's file.
        bell: ring the terminal's bell with an alert.
        keep_crash: writes a crash report and gives its file, None when it cannot be written.
        checks: checks of the installation that need no backend.
    """

    orgs: Mapping[str, Callable[[], Door]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    exports: Path | None = None
    log: Path | None = None
    config: Path | None = None
    bell: bool = False
    keep_crash: Callable[[BaseException], Path | None] | None = None
    checks: Callable[[], tuple[Check, ...]] | None = None
