"""The kill matrix: ``python -m tests.kills.matrix KIND``.

A fork server. This process imports everything and opens nothing; each case is a fork that owns fresh copies of both
sides' files and of the engine's state, forks the two servers (real HTTP over sockets of its own), then the engine,
which is killed by SIGKILL at the case's point, then the engine again, which does what an operator does: the same
command. What is left is compared with what a run that nobody disturbed leaves. Prints one JSON line a case.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from uvicorn.config import Config
from uvicorn.server import Server

from sync.model import RunKind
from sync.store.journal import Intent, Journal
from sync.store.store import Store
from tests.house.engine import open_engine
from tests.house.sides import ORG_PORT, SERVICE_PORT, STATE_FILE, Sides, frozen
from tests.kills import end_state
from tests.kills.kinds import KINDS, Kind, Names
from tests.kills.points import Seam, SeamedNetwork

LONGEST = 120
"""Seconds after which the kernel ends a child that hangs."""


def _forked(work: Callable[[], int]) -> int:
    """Do *work* in a fork and give its process id; it ends with the number that *work* gives."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        signal.alarm(LONGEST)
        code = work()
    except BaseException:  # noqa: BLE001 - the child must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(child: int) -> int:
    """Wait for a fork: its number, or the negative of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _server(app: Any) -> Server:
    # The Date of every answer is the controlled clock's, so the server adds none of its own.
    return Server(
        Config(app, http="h11", ws="none", lifespan="off", log_config=None, server_header=False, date_header=False)
    )


class Forgetful(Journal):
    """A journal without its protection: nobody learns what was begun and not ended."""

    def open_intents(self, **_: Any) -> tuple[Intent, ...]:  # type: ignore[override]
        """Nothing."""
        return ()


class Case:
    """One copy of a kind's start state, and the processes that work on it."""

    def __init__(self, kind: Kind, template: Path, folder: Path, journal: type[Journal]) -> None:
        self.kind, self.folder, self.journal = kind, folder, journal
        shutil.copytree(template, folder)
        told = json.loads((folder / "told.json").read_text())
        self.names: Names = told["names"]
        self.at, self.token = datetime.fromisoformat(told["at"]), told["token"]
        self.sockets = {ORG_PORT: str(folder / "org.sock"), SERVICE_PORT: str(folder / "service.sock")}

    def serve(self) -> int:
        """Start both servers in a fork; they listen before it runs, so nobody has to wait for them."""
        listening = {port: socket.socket(socket.AF_UNIX) for port in self.sockets}
        for port, sock in listening.items():
            sock.bind(self.sockets[port])
            sock.listen(64)
            sock.setblocking(False)
        child = _forked(lambda: self._serving(listening))
        for sock in listening.values():
            sock.close()
        return child

    def _serving(self, listening: dict[int, socket.socket]) -> int:
        sides = Sides(self.folder, frozen(self.at))
        apps = {ORG_PORT: sides.org_app, SERVICE_PORT: sides.service_app}

        async def serve() -> None:
            await asyncio.gather(*(_server(app).serve([listening[port]]) for port, app in apps.items()))

        asyncio.run(serve())
        return 0

    def engine(self, die_before: int | None, *, events: Path | None = None) -> int:
        """Run the command in a fork; -9 when it was killed, else its exit code."""
        return _ended(_forked(lambda: self._engine(Seam(die_before), events)))

    def _engine(self, seam: Seam, events: Path | None) -> int:
        clock = frozen(self.at)
        store = Store(self.folder / STATE_FILE, clock=clock, before_commit=seam.commit, journal=self.journal)
        with open_engine(
            self.folder, self.token, clock, lambda: SeamedNetwork(seam, self.sockets), store=store
        ) as shell:
            result = self.kind.command(shell, self.names)
        if events is not None:
            events.write_text(json.dumps(seam.events))
        if result.error:
            sys.stderr.write(f"{result.error}\n")
        return result.exit_code


def make_template(name: str, folder: Path) -> None:
    """The start state of a kind, on files."""
    kind = KINDS[name]
    folder.mkdir(parents=True)

    def work() -> int:
        clock = frozen()
        sides = Sides(folder, clock)
        shell = open_engine(folder, sides.access_token, clock, lambda: sides.network)
        names = kind.prepare(sides, shell)
        shell.close()
        sides.close()
        end_state.watch_writes(folder)
        told = {"names": dict(names), "at": clock.now().isoformat(), "token": sides.access_token}
        (folder / "told.json").write_text(json.dumps(told))
        return 0

    if _ended(_forked(work)) != 0:
        raise RuntimeError(f"the start state of {name} could not be made")


def warm_up(home: Path) -> None:
    """Run everything once in this process, so that no fork has to import, parse or compile it again.

    Nothing stays open behind it: no file, no connection, no thread.
    """
    clock = frozen()
    home.mkdir()
    sides = Sides(home, clock)
    shell = open_engine(home, sides.access_token, clock, lambda: sides.network)
    kind = KINDS["hourly"]
    names = kind.prepare(sides, shell)
    kind.command(shell, names)
    shell.batch(RunKind.NIGHTLY)
    shell.close()
    sides.close()
    shutil.rmtree(home)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(30)
    assert threading.active_count() == 1, "a fork would lose threads"
    gc.collect()
    gc.freeze()


class Matrix:
    """One kind's cases. *journal* is the one argument that the control swaps."""

    def __init__(self, name: str, home: Path, journal: type[Journal] = Journal) -> None:
        self.kind, self._home, self._journal = KINDS[name], home, journal
        self._template = home / "template"
        make_template(name, self._template)
        case = Case(self.kind, self._template, home / "undisturbed", journal)
        servers = case.serve()
        self.exit_code = case.engine(None, events=case.folder / "events.json")
        _stop(servers)
        if self.exit_code not in (0, 4):
            raise RuntimeError(f"the undisturbed run ended with {self.exit_code}")
        self.events: list[str] = json.loads((case.folder / "events.json").read_text())
        self._wanted = end_state.read(case.folder)

    def kill_before(self, point: int) -> list[str]:
        """Kill the run before an event, run the command again: what is not as it should be."""
        case = Case(self.kind, self._template, self._home / str(point), self._journal)
        servers = case.serve()
        try:
            died = case.engine(point)
            if died != -signal.SIGKILL:
                return [f"the process was not killed; it ended with {died}"]
            if self.kind.resumable or not end_state.ended(case.folder):
                again = case.engine(None)
                # Whoever takes over reads first, so it may find settled what the first run found to have moved.
                if again not in (0, self.exit_code):
                    return [f"the second run ended with {again} instead of {self.exit_code}"]
            return end_state.differences(self._wanted, end_state.read(case.folder))
        finally:
            _stop(servers)
            shutil.rmtree(case.folder, ignore_errors=True)


def _stop(servers: int) -> None:
    os.kill(servers, signal.SIGKILL)
    _ended(servers)


def points_of(events: Sequence[str], sample: int | None, seed: int) -> list[int]:
    """The numbers of all events, or a sample of them."""
    every = list(range(1, len(events) + 1))
    if sample is None or sample >= len(every):
        return every
    return sorted(random.Random(seed).sample(every, sample))


def run(
    name: str, *, sample: int | None, seed: int, journal: type[Journal], tell: Callable[[dict[str, Any]], None]
) -> None:
    """The matrix of one kind; *tell* takes a line for the recording and one for each point."""
    home = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        warm_up(home / "warm")
        matrix = Matrix(name, home, journal)
        points = points_of(matrix.events, sample, seed)
        tell({"kind": name, "events": matrix.events, "points": len(points), "exit_code": matrix.exit_code})
        for point in points:
            problems = matrix.kill_before(point)
            tell({"point": point, "before": matrix.events[point - 1], "problems": problems})
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> NoReturn:
    """Run the matrix of one kind; exit 0 whatever it finds, 1 when it could not be run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--sample", type=int, default=None, help="so many points, drawn by the seed; all when left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--forget", action="store_true", help="the control: over a journal that forgets its intents")
    options = parser.parse_args()
    run(
        options.kind,
        sample=options.sample,
        seed=options.seed,
        journal=Forgetful if options.forget else Journal,
        tell=lambda line: print(json.dumps(line), flush=True),
    )
    sys.exit(0)


if __name__ == "__main__":
    main()
