"""``predictive sandbox``: both embedded servers in the foreground until SIGTERM or SIGINT, with a configuration."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.offline import Offline
from console.cli.signals import Stopping
from sync.errors import Cancelled, FatalError, UsageError
from sync.model import Campaign, RunKind, RunState
from sync.views import RunResult

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from console.cli.strangers import PlainOrg
    from sync.bootstrap import Shell

_OPTIONS = ("port", "service_port", "campaigns", "members", "seed", "quota", "package")


def sandbox(invocation: Invocation) -> int:
    """Start, print the one line, stay."""
    options = invocation.options
    given = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None}
    given["faults"], given["load"] = _faults(options.faults), _load(options.load)
    with Stopping(quiet=True) as stop:
        offline = Offline(**given)
        try:
            offline.wait()
            if options.synced:
                bring_in_step(offline, invocation, stop.cancel)
                offline.control("POST", "/usage:reset")
            if stop.seen:
                return 0
            sys.stdout.write(json.dumps(offline.ready_line(), ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return _stay(offline, stop)
        finally:
            offline.close()


def _faults(name: str | None) -> Path | None:
    from sync.embedded.faults import read_faults

    if name is None:
        return None
    path = Path(name)
    try:
        read_faults(path)
    except OSError as error:
        raise UsageError(
            f"cannot read {name}: {error.strerror}", left_undone="nothing was started", remedy="check the path"
        ) from error
    except ValueError as error:
        raise UsageError(str(error), left_undone="nothing was started") from error
    return path.resolve()


def _load(name: str | None) -> Path | None:
    from sync.embedded.seed.exported import ExportError, read_export

    if name is None:
        return None
    path = Path(name)
    try:
        read_export(path)
    except ExportError as error:
        raise UsageError(str(error), left_undone="nothing was started") from error
    return path.resolve()


def _stay(offline: Offline, stop: Stopping) -> int:
    process = offline.servers().process
    while not stop.cancel.wait(0.5):
        if process.poll() is not None:
            raise FatalError(f"the servers ended by themselves with {process.returncode}")
    return 0


def bring_in_step(offline: Offline, invocation: Invocation, cancel: threading.Event) -> None:
    """Both sides and the state as after a nightly run: nothing is left to do.

    Raises:
        FatalError: a campaign could not be started or the batches did not settle.
    """
    shell = offline.shell(clock=invocation.clock, on_event=lambda _: None)
    org = offline.org()
    try:
        for view in shell.load_campaigns():
            if view.state != "closed":
                _start(org, shell, view.campaign, cancel)
        for kind in (RunKind.NIGHTLY, RunKind.HOURLY):
            _until_nothing(shell, kind, cancel)
    finally:
        shell.close()


def _start(org: PlainOrg, shell: Shell, campaign: Campaign, cancel: threading.Event) -> None:
    """New Edition; what it needs is completed in Salesforce before, and a planned campaign is planned again after."""
    lacks: dict[str, object] = {}
    if campaign.type is None:
        lacks["Type"] = "Scheduled"
    if not campaign.is_active:
        lacks["IsActive"] = True
    record = f"/sobjects/Campaign/{campaign.id}"
    if lacks:
        org.request("PATCH", record, lacks)
    settled(shell.new_edition(campaign.id, cancel=cancel))
    if not campaign.is_active:
        org.request("PATCH", record, {"IsActive": False})
        settled(shell.sync((campaign.id,), cancel=cancel))


def _until_nothing(shell: Shell, kind: RunKind, cancel: threading.Event) -> None:
    for _ in range(3):
        result = shell.batch(kind, cancel=cancel)
        settled(result)
        if result.state is RunState.NOTHING_TO_DO:
            return


def settled(result: RunResult) -> None:
    """Raises unless the run ended well."""
    if result.state is RunState.CANCELLED:
        raise Cancelled("stopped before both sides were in step")
    if result.state not in (RunState.DONE, RunState.NOTHING_TO_DO, RunState.PARTIAL):
        names = ", ".join(item.name for item in result.campaigns)
        raise FatalError(f"{result.kind.value} of {names} ended {result.state.value}: {result.error}")
