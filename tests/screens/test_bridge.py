"""The bridge: reads answer or fail in words, events are thinned, nothing arrives once it is closing."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from textual.message import Message

from console.bridge import REPAINT, Bridge, Thinning
from console.messages import EngineEvents, JobEnded
from sync.errors import FatalError, Refused
from sync.events import Event, Noted, Phase, Progress
from sync.ids import RunId
from sync.model import Calls
from tests.screens.fakes import FakeBackend
from tests.screens.made import NOW
from tests.screens.waiting import until

RUN = RunId("r1")


def tick(number: int) -> Event:
    """A progress event."""
    return Event(number, NOW, Progress(RUN, Phase.COMPARE, number, 10_000, Calls()))


def bridge(backend: Any) -> tuple[Bridge, list[Message]]:
    """A bridge and what it delivers."""
    delivered: list[Message] = []
    made = Bridge(lambda: backend, delivered.append)
    made.start()
    return made, delivered


def test_of_progress_only_the_newest_is_kept_and_facts_all_are() -> None:
    thin = Thinning()
    firsts = [thin.put(tick(n)) for n in range(5)]
    fact = Event(9, NOW, Noted(RUN, "warning", "a fact"))
    thin.put(fact)
    thin.put(tick(10))
    assert firsts == [True, False, False, False, False]
    assert thin.take() == (fact, tick(10))
    assert thin.take() == ()
    assert thin.put(tick(11))


async def test_reads_come_back_or_fail_in_words() -> None:
    made, _ = bridge(FakeBackend(fail={"overview": Refused("no"), "detail": ValueError("boom [/]")}))  # type: ignore[dict-item]
    assert (await made.read(lambda backend: backend.limits())).limit == 115000
    with pytest.raises(Refused):
        await made.read(lambda backend: backend.overview())
    with pytest.raises(FatalError, match="Unexpected ValueError: boom"):
        await made.read(lambda backend: backend.detail("x"))
    assert made.busy == 0
    made.close()


async def test_whoever_stops_waiting_leaves_the_thread_to_end_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    broke: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", broke.append)
    made, _ = bridge(FakeBackend())
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert go_on.wait(30)
        ended.set()

    waiting = asyncio.ensure_future(made.aside(slow))
    await until(begun.is_set, "the thread to begin")
    (thread,) = (each for each in threading.enumerate() if each.name == "console-aside")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await until(lambda: not thread.is_alive(), "the thread to end")
    assert ended.is_set()
    assert broke == []
    made.close()


async def test_a_storm_of_events_is_told_at_most_ten_times_a_second() -> None:
    class Storm(FakeBackend):
        def verify(self, campaign_ids: Any = None, *, cancel: Any = None) -> Any:
            for number in range(20_000):
                self.on_event(tick(number))
            return None

    made, delivered = bridge(Storm())
    started = asyncio.get_running_loop().time()
    job = made.act("Storm", lambda backend, cancel: backend.verify(None, cancel=cancel), writes=True)
    await made.result(job)
    await until(lambda: any(isinstance(message, JobEnded) for message in delivered), "the end")
    seconds = asyncio.get_running_loop().time() - started
    told = [message for message in delivered if isinstance(message, EngineEvents)]
    assert len(told) <= seconds / REPAINT + 2
    assert told[-1].events[-1] == tick(19_999)
    assert isinstance(delivered[-1], JobEnded)
    made.close()


async def test_each_job_has_a_backend_of_its_own_and_lets_go_of_it() -> None:
    opened: list[FakeBackend] = []
    closed: list[FakeBackend] = []

    class Counted(FakeBackend):
        def close(self) -> None:
            closed.append(self)

    def open_backend() -> FakeBackend:
        opened.append(Counted())
        return opened[-1]

    made = Bridge(open_backend, lambda message: None)
    made.start()
    await made.read(lambda backend: backend.limits())
    job = made.act("Doctor", lambda backend, cancel: backend.doctor(), writes=False)
    await made.result(job)
    await until(lambda: len(closed) == 1, "the job's backend to be closed")
    assert len(opened) == 2
    assert closed == [opened[1]]
    made.close()
    await until(lambda: len(closed) == 2, "the reads' backend to be closed")


async def test_nothing_is_delivered_once_closing_and_jobs_are_cancelled() -> None:
    backend = FakeBackend()
    backend.hold.clear()
    made, delivered = bridge(backend)
    job = made.act("Refresh", lambda b, cancel: b.refresh(("x",), cancel=cancel), writes=True)
    await until(backend.halfway.is_set, "the run to be half-way")
    assert made.writing is job
    made.close()
    before = len(delivered)
    assert job.cancel.is_set()
    backend.hold.set()
    await until(lambda: not job.live, "the job to end")
    await asyncio.sleep(0)
    assert len(delivered) == before
    with pytest.raises(asyncio.CancelledError):
        await made.read(lambda b: b.limits())


async def test_a_backend_that_cannot_be_opened_fails_the_job_in_words() -> None:
    def broken() -> FakeBackend:
        raise Refused("The state belongs to another org")

    made = Bridge(broken, lambda message: None)
    made.start()
    job = made.act("Plan", lambda backend, cancel: None, writes=False)
    with pytest.raises(Refused, match="another org"):
        await made.result(job)
    assert job.error is not None
    with pytest.raises(Refused):
        await made.read(lambda backend: backend.limits())
    made.close()


def test_threads_live_in_the_bridge_only() -> None:
    from pathlib import Path

    root = Path(__file__).resolve().parents[2] / "console"
    mine = [path for path in root.rglob("*.py") if "cli" not in path.parts and path.name != "main.py"]
    starting = [path.name for path in mine if "threading.Thread(" in path.read_text(encoding="utf-8")]
    assert starting == ["bridge.py"]
    assert threading.active_count() < 20
