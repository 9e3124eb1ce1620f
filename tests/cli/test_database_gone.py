"""The database of a fleet goes away in the middle of a run and comes back: one clear line, nothing lost, and the next
run, or the worker that waited, ends it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from sqlalchemy.engine import make_url

from tests.cli.sides import PREDICTIVE, Box, environment
from tests.cli.test_worker import slow_batches, started, until_in_flight, working
from tests.house.postgres import start

pytestmark = pytest.mark.slow


class Server:
    """A PostgreSQL server that may be killed and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="predictive-postgres-gone-"))
        self.running = start(self.folder / "data")
        self.url = make_url(self.running.get_uri()).set(drivername="postgresql").render_as_string(hide_password=False)

    def kill(self) -> None:
        """The server is gone at once, with all its children."""
        psutil = pytest.importorskip("psutil")
        note = self.folder / "data" / "postmaster.pid"
        process = psutil.Process(int(note.read_text().split()[0]))
        family = [process, *process.children(recursive=True)]
        process.kill()
        for each in family:
            while each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                pass
        # Nobody may have taken its end note of yet, and then it counts as running.
        for left in (note, *note.parent.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def start(self) -> None:
        """The same data again."""
        self.running.ensure_postgres_running()

    def end(self) -> None:
        """Nobody needs it any more."""
        self.running.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.end()


@pytest.fixture
def fleet(own_box: Box, server: Server) -> Box:
    """A sandbox whose configuration names a database of that server."""
    path = Path(own_box.line["config"])
    values = tomllib.loads(path.read_text())
    values["orgs"]["sandbox"]["state"]["url"] = server.url
    path.write_text(tomli_w.dumps(values))
    return own_box


def test_a_run_whose_database_goes_away_says_so_in_one_line_and_the_next_run_ends_it(
    fleet: Box, server: Server
) -> None:
    box = fleet
    campaign = started(box, 4)
    slow_batches(box, 4.0)
    running = subprocess.Popen(
        [*PREDICTIVE, "--config", box.line["config"], "sync", campaign, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(box.home),
    )
    until_in_flight(box)
    server.kill()
    out, talk = running.communicate(timeout=60)
    assert running.returncode == 1
    (line,) = talk.strip().splitlines()
    assert "the state's database does not answer" in line
    assert "what was journalled before it stands" in line
    assert "run it again" in line
    assert '"state":"failed"' in out.splitlines()[-1]
    # While it is down every command says the same, and does nothing.
    asked = box.run("sync", campaign)
    assert asked.code == 1
    assert "does not answer" in asked.talk
    assert len(asked.talk.strip().splitlines()) == 1
    server.start()
    box.control("DELETE", "/faults")
    again = box.run("sync", campaign)
    assert (again.code, again.summary["state"]) == (0, "done"), again.talk
    assert box.unequal(campaign, activity=False) == []
    assert box.run("verify", campaign).code == 0
    states = [run["state"] for run in box.run("runs").lines if run["type"] == "run" and run["kind"] == "manual"]
    assert sorted(states) == ["done", "failed"]


def test_a_worker_waits_for_its_database_and_carries_out_anew_what_it_had_begun(fleet: Box, server: Server) -> None:
    box = fleet
    campaign = started(box, 4)
    slow_batches(box, 4.0)
    with working(box, Path(box.line["config"])) as worker:
        job = box.run("sync", campaign, "--queue").lines[1]["job"]
        until_in_flight(box, worker)
        server.kill()
        box.control("DELETE", "/faults")
        while box.run("schedule").code != 1:
            assert worker.process.poll() is None
        server.start()
        turn = worker.until("turn") or {}
        assert (turn["job"], turn["exit_code"]) == (job, 0)
        assert not [line for line in box.run("schedule").lines if line["type"] == "queued"]
        code, _, talk = worker.end()
    assert code == 0
    assert [text in talk for text in ("This worker waits for it.", "the state answers again")] == [True, True], talk
    assert "Traceback" not in talk
    assert box.unequal(campaign, activity=False) == []
