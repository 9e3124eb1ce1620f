"""The console on a run that tells a given number of events a second: ``python -m tests.bench.busy RATE``."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

from console.outside import Door, Outside
from sync.clock import SystemClock
from sync.events import Event, Phase, PhaseStarted, Progress, RunStarted
from sync.ids import RunId
from sync.model import Calls, RunKind, RunState
from sync.plan import PlanCounts
from sync.views import RunResult
from tests.screens.fakes import FakeBackend

TOTAL = 1_000_000


class Busy(FakeBackend):
    """Its batch goes on until it is cancelled, telling progress all the time."""

    rate = 100

    def batch(self, kind: RunKind, *, simulate: bool = False, cancel: Any = None, **_: Any) -> RunResult:
        """Progress of one step, *rate* times a second."""
        run, began, done = RunId("r-bench"), SystemClock().now(), 0
        self.on_event(Event(1, began, RunStarted(run, kind, None, None, None, simulate)))
        self.on_event(Event(2, began, PhaseStarted(run, Phase.WRITE_SALESFORCE, TOTAL)))
        start = time.perf_counter()
        while not cancel.is_set():
            done += 1
            at = began + timedelta(seconds=time.perf_counter() - start)
            self.on_event(
                Event(2 + done, at, Progress(run, Phase.WRITE_SALESFORCE, done, TOTAL, Calls(done // 200, 0)))
            )
            ahead = start + done / self.rate - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
        nothing = Calls()
        return RunResult(
            run, kind, RunState.CANCELLED, simulate, 1.0, PlanCounts(), nothing, nothing, nothing, nothing, ()
        )


if __name__ == "__main__":
    from console.app import run_console

    backend = Busy()
    backend.rate = int(sys.argv[1])
    sys.exit(run_console(Door("bench", "writes", lambda: backend), clock=SystemClock(), outside=Outside()))
