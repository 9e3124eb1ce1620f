"""One command being run: its options, its report, its shell, its questions; and how every ending becomes an exit code.

The one place of the command line that opens the engine. Heavy modules are imported inside the functions that use them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.signals import INTERRUPTED, Stopping, endings, interrupt
from console.cli.streams import lost_words, to_nowhere
from sync.clock import Clock, SystemClock
from sync.errors import Cancelled, PredictiveError
from sync.model import Calls, Campaign, RunKind

if TYPE_CHECKING:
    from argparse import Namespace

    from console.cli.table import Command
    from console.report import Report
    from sync.bootstrap import Shell
    from sync.events import Event
    from sync.settings import OrgSettings, Settings

_KINDS = {
    "plan": RunKind.PLAN,
    "apply": RunKind.MANUAL,
    "sync": RunKind.MANUAL,
    "new-edition": RunKind.INITIAL,
    "refresh": RunKind.REFRESH,
    "verify": RunKind.VERIFY,
    "undo": RunKind.UNDO,
    "runs release": RunKind.RELEASE,
    "runs retry": RunKind.MANUAL,
}


class Invocation:
    """What a handler gets.

    Attributes:
        options: parsed command line; each argument of the command is there, None or False when not given.
        report: where results go; made when first needed, for the console prints nothing and starts sooner.
        clock: the time, for waits and ages only.
        asks: False where no question may be put although there is a terminal.
    """

    __slots__ = ("_make_report", "_report", "_shell", "asks", "clock", "options")

    def __init__(self, options: Namespace, report: Callable[[], Report], clock: Clock, *, asks: bool = True) -> None:
        self.options = options
        self._make_report = report
        self._report: Report | None = None
        self.clock = clock
        self.asks = asks
        self._shell: Shell | None = None

    @property
    def report(self) -> Report:
        """Where results go."""
        if self._report is None:
            self._report = self._make_report()
        return self._report

    @property
    def lost(self) -> OSError | None:
        """Why standard output did not take everything that was said."""
        return None if self._report is None else self._report.lost()

    @property
    def command(self) -> Command:
        """The command of the table."""
        command: Command = self.options.command
        return command

    @property
    def run_kind(self) -> RunKind | None:
        """The kind of run that this command is, None when it is none."""
        if not self.command.run:
            return None
        return _KINDS.get(self.command.name) or RunKind(self.options.kind)

    @property
    def simulated(self) -> bool:
        """True when nothing will be written whatever happens."""
        return bool(getattr(self.options, "simulate", False)) or self.command.name == "plan"

    @property
    def interactive(self) -> bool:
        """True when a question can be put: a terminal on both ends, and no reader of JSON lines."""
        return self.asks and not self.options.json and sys.stdin.isatty() and sys.stderr.isatty()

    def load_settings(self) -> Settings:
        """The configuration file.

        Raises:
            ConfigError: missing, unreadable, or with a wrong key or value.
        """
        from sync.settings import load_settings

        path = Path(self.options.config) if self.options.config is not None else None
        return load_settings(path, env=os.environ, org=self.options.org)

    def org_settings(self) -> OrgSettings:
        """The chosen org of the configuration."""
        return self.load_settings().org(self.options.org)

    def shell(self) -> Shell:
        """The engine on the chosen org, opened on first use and closed with the invocation."""
        if self._shell is None:
            settings = self.org_settings()
            from console.logbook import RunLog
            from sync.bootstrap import open_shell

            log, report = RunLog(), self.report

            def told(event: Event) -> None:
                log.event(event)
                report.event(event)

            self._shell = open_shell(
                settings,
                clock=self.clock,
                on_event=told,
                read_only=True if self.options.read_only else None,
            )
        return self._shell

    def campaigns(self) -> tuple[Campaign, ...]:
        """The campaigns named, each once, in the order given.

        Raises:
            UnknownCampaign, AmbiguousCampaign: with nearest names, or the ids to choose from.
        """
        found = {campaign.id: campaign for campaign in map(self.shell().resolve, self.named())}
        return tuple(found.values())

    def named(self) -> tuple[str, ...]:
        """The campaigns as they were typed: a run that gets a name asks the org whether it is one campaign's alone."""
        given = self.options.campaign
        return (given,) if isinstance(given, str) else tuple(given or ())

    def spent(self) -> Calls:
        """All requests that the command has made so far; none when it never reached the engine."""
        return Calls() if self._shell is None else self._shell.store.ledger.spent

    def stopping(self) -> Stopping:
        """Entered around a run: the first signal ends it after the batch in flight."""
        return Stopping()

    def confirm(self, lines: Sequence[str], question: str) -> None:
        """Show *lines* and ask, where there is somebody to ask and ``--yes`` was not given.

        Raises:
            Cancelled: the answer was not yes; the default is no.
        """
        if self.options.yes or not self.interactive:
            return
        for line in lines:
            self.report.talk(line)
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer not in ("y", "yes"):
            raise Cancelled("not confirmed", left_undone="nothing was written")

    def close(self) -> None:
        """Close the shell, if one was opened."""
        if self._shell is not None:
            self._shell.close()
            self._shell = None


def run_command(options: Namespace) -> int:
    """Run the command of *options* and return its exit code; every error is one line, never a traceback."""
    before = {number: signal.signal(number, interrupt) for number in endings()}
    invocation = Invocation(options, lambda: _report(options), SystemClock())
    try:
        if invocation.command.name:
            _begin_log(invocation.command.name)
        module, function = invocation.command.handler.split(":")
        code: int = getattr(import_module(module), function)(invocation)
    except PredictiveError as error:
        return _failed(invocation, error)
    except KeyboardInterrupt:
        return _failed(invocation, Cancelled("interrupted", left_undone="nothing was lost"))
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever it is becomes one line and a file
        return _failed(invocation, _internal(error, invocation))
    finally:
        invocation.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code else _all_said(invocation)


def _begin_log(command: str) -> None:
    import logging

    from console.logbook import open_log
    from console.places import log_file

    open_log(log_file(), os.environ)
    logging.getLogger("predictive.command").debug("%s", command)


def _report(options: Namespace) -> Report:
    from console.cli.parser import program
    from console.report import HumanReport, JsonReport

    return JsonReport(sys.stdout, sys.stderr, program()) if options.json else HumanReport(sys.stdout, sys.stderr)


def _all_said(invocation: Invocation) -> int:
    """0, or 1 when standard output took less than was said, e.g. into a file on a full disk."""
    lost = invocation.lost
    if lost is None:
        return 0
    invocation.report.complain(lost_words(lost))
    to_nowhere(sys.stdout)
    return 1


def _failed(invocation: Invocation, error: PredictiveError) -> int:
    if invocation.command.name and not isinstance(error, Cancelled):
        import logging

        logging.getLogger("predictive.command").error("%s: %s", invocation.command.name, error.line())
    invocation.report.failure(error, invocation.run_kind, simulated=invocation.simulated, calls=invocation.spent())
    return INTERRUPTED if isinstance(error, Cancelled) else error.exit_code


def _internal(error: Exception, invocation: Invocation) -> PredictiveError:
    from console.cli.crash import keep
    from sync.store.trouble import state_trouble

    known = state_trouble(error)
    if known is not None:
        return known

    kept = keep(error, {**os.environ, **_secrets(invocation)})
    return PredictiveError(
        f"internal error {type(error).__name__}",
        where=str(kept) if kept else "",
        left_undone="what was journalled before it stands",
        remedy="the file says where it happened" if kept else "no file could be written to say more",
    )


def _secrets(invocation: Invocation) -> dict[str, str]:
    """The secrets of the configuration by name, as far as they can be had without asking anybody."""
    try:
        settings = invocation.org_settings()
        login = settings.salesforce
        refs = (
            login.client_secret,
            login.access_token,
            login.refresh_token,
            login.private_key,
            settings.predictive.token,
        )
        found = {ref.env_name: ref.resolve(ask=lambda _: None) for ref in refs}
    except PredictiveError:
        return {}
    return {name: one.secret.reveal() for name, one in found.items() if one is not None}
