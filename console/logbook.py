"""The program's log: one line a fact in a file that only its owner can read, kept small, with secrets masked.

Standard library, ``console.masking`` and events of ``sync``. Every process of a user appends to the same file; a line
is one write, so that lines of two processes never mix. What is written names campaigns, runs and record ids, never
people: e-mail addresses are masked here, names are never handed in.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.masking import mask, without_addresses

if TYPE_CHECKING:
    from sync.events import Event, RowFailed

ROOT = "predictive"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LARGEST = 1_000_000
"""Bytes of the file before it is turned: ``predictive.log`` becomes ``.1``, ``.1`` becomes ``.2``."""
KEPT = 3
ROWS = 50
"""Failed rows of a run that are named; the journal has all of them."""


class LogFile(logging.Handler):
    """Appends records to a file and turns it when it is full; a disk that takes nothing stops nothing.

    Args:
        path: the file.
        env: holds secrets under names that speak of them.
        largest: bytes before it is turned.
    """

    def __init__(self, path: Path, env: Mapping[str, str], *, largest: int = LARGEST) -> None:
        super().__init__()
        self.path = path
        self._env = env
        self._largest = largest

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a traceback follows it on indented lines."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        name = record.name.removeprefix(f"{ROOT}.")
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            import traceback

            text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        shown = without_addresses(mask(text, self._env)).replace("\n", "\n    ")
        line = f"{at} {record.levelname:<7} {name}: {shown}\n".encode("utf-8", "backslashreplace")
        with suppress(OSError):
            self._write(line)

    def _write(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            full = os.fstat(handle).st_size > self._largest
        finally:
            os.close(handle)
        if full:
            self._turn()

    def _turn(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            # Another process may have turned it between our write and now; then there is nothing to move.
            with suppress(FileNotFoundError):
                newer.replace(older)


def open_log(path: Path, env: Mapping[str, str], *, largest: int = LARGEST) -> logging.Logger:
    """Let everything under ``predictive`` go to *path* from now on, and nowhere else. Given again it replaces.

    ``PREDICTIVE_LOG_LEVEL`` in *env* says from which level on; INFO without it.
    """
    logger = logging.getLogger(ROOT)
    for old in list(logger.handlers):
        logger.removeHandler(old)
    logger.addHandler(LogFile(path, env, largest=largest))
    level = env.get("PREDICTIVE_LOG_LEVEL", "INFO").upper()
    logger.setLevel(level if level in LEVELS else "INFO")
    logger.propagate = False
    return logger


class RunLog:
    """Writes what events of runs tell: beginnings, refusals, failures by code, ends. Safe from any thread."""

    def __init__(self) -> None:
        self._log = logging.getLogger(f"{ROOT}.run")
        self._rows: Counter[str] = Counter()

    def event(self, event: Event) -> None:
        """One event."""
        from sync.events import CampaignSkipped, Guarded, Noted, PlanMade, RowFailed, RunEnded, RunStarted

        body = event.body
        match body:
            case RunStarted():
                what = "simulated " if body.simulated else ""
                self._log.info("%s: %s%s began, campaign %s", body.run, what, body.kind.value, body.campaign_id or "–")
            case PlanMade():
                rows = body.counts.salesforce_rows + body.counts.predictive_rows
                calls = body.predicted.salesforce
                self._log.info("%s: plan %s, %d rows, %d calls predicted", body.run, body.plan_id, rows, calls)
            case Guarded() if not body.verdict.passed:
                found = body.verdict
                self._log.warning(
                    "%s: guard %s refused, %g of %g, campaign %s",
                    body.run, found.rule, found.figure, found.limit, found.campaign_id or "–",
                )  # fmt: skip
            case RowFailed():
                self._row(body)
            case CampaignSkipped():
                self._log.info("%s: campaign %s left out: %s", body.run, body.campaign_id, body.why)
            case Noted():
                # What is noted may name people, so the journal alone has it; that there is a warning is told here.
                if body.level in ("warning", "error", "attention", "trouble"):
                    self._log.warning("%s: %s noted; the run's screen tells it", body.run, body.level)
            case RunEnded():
                level = logging.INFO if body.state.value in ("done", "nothing-to-do") else logging.WARNING
                self._log.log(
                    level,
                    "%s: ended %s after %.1f s, Salesforce calls: %d%s",
                    body.run, body.state.value, body.seconds, body.calls.salesforce,
                    f": {body.error}" if body.error else "",
                )  # fmt: skip
                self._rows.pop(str(body.run), None)

    def _row(self, body: RowFailed) -> None:
        self._rows[str(body.run)] += 1
        said = self._rows[str(body.run)]
        if said <= ROWS:
            word = "drifted" if body.drifted else "rejected"
            self._log.warning(
                "%s: row %s: %s %s %s of campaign %s, %s",
                body.run, word, body.side.value, body.subject_id, body.field, body.campaign_id, body.code,
            )  # fmt: skip
        elif said == ROWS + 1:
            self._log.warning("%s: more rows failed; predictive runs %s lists them", body.run, body.run)
