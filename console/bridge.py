"""The only place of the console with threads: reads on one, each job on its own, events thinned to three a second.

Screens ``await`` a read or a job; what comes from a thread reaches the loop here and nowhere else. Imports the standard
library, ``console.messages`` and ``console.backend``; the shell (``sync.bootstrap``, with SQLAlchemy and httpx) is
imported by ``ShellBackend`` in the worker's thread, after the first paint.

Threads are daemons: quitting never waits for one that only reads. A job that writes is cancelled and waited for by the
app, which says so.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual.message import Message

from console.messages import EngineEvents, JobEnded
from sync.errors import FatalError, PredictiveError

if TYPE_CHECKING:
    from console.backend import Backend
    from console.logbook import RunLog
    from sync.bootstrap import Shell
    from sync.clock import Clock
    from sync.events import Event
    from sync.settings import OrgSettings

T = TypeVar("T")
REPAINT = 0.33
"""Seconds between two deliveries of events: three repaints a second, whatever the engine's rate, stay below the 2 kB/s
that a slow line bears."""

PROMPT = 0.02
"""Seconds until the first event after a pause is delivered, with those that come right behind it."""


def as_error(error: BaseException) -> PredictiveError:
    """*error* as one that people can read; a bug becomes one plain line without a traceback."""
    if isinstance(error, PredictiveError):
        return error
    from sync.store.trouble import state_trouble

    known = state_trouble(error)
    if known is not None:
        return known
    return FatalError(
        f"Unexpected {type(error).__name__}: {' '.join(str(error).split())[:200] or 'no text'}",
        left_undone="what was asked for was not done",
        remedy="the log says where it happened; predictive bundle packs it for whoever looks at it",
    )


def _logged(error: BaseException) -> None:
    """Into the log: what people are told as it is, a bug with its traceback, which has no local variables."""
    import logging

    log = logging.getLogger("predictive.console")
    if isinstance(error, PredictiveError):
        log.warning("%s", error.line())
    else:
        log.error("unexpected", exc_info=error)


def _answer(future: Future[T], do: Callable[[], T]) -> None:
    """In a thread: the value of *do*, or its error, to whoever waits; nothing is done for one who left before."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = do()
    except BaseException as error:  # noqa: BLE001 - it is handed over to whoever waits, whatever it is
        _logged(error)
        future.set_exception(error)
    else:
        future.set_result(value)


async def _value(future: Future[T]) -> T:
    """On the loop: what a thread answers. Raises PredictiveError."""
    try:
        return await asyncio.wrap_future(future)
    except PredictiveError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a thread met becomes one line for people
        raise as_error(error) from None


@dataclass(slots=True)
class Job(Generic[T]):
    """An action under way in a thread of its own.

    Attributes:
        number: its name in messages.
        title: what people call it, e.g. ``Spring launch 2027 › Synchronize``.
        writes: quitting while it runs needs a person's word.
        cancel: set to stop after the present batch.
        done: the value or the error, once it ended.
    """

    number: int
    title: str
    writes: bool
    cancel: threading.Event = field(default_factory=threading.Event)
    done: Future[T] = field(default_factory=Future)

    @property
    def live(self) -> bool:
        """True until its thread is done."""
        return not self.done.done()

    @property
    def error(self) -> PredictiveError | None:
        """Why it failed, None while it runs or when it did not."""
        found = self.done.exception() if self.done.done() else None
        return None if found is None else as_error(found)


class Thinning:
    """Collects one job's events from its thread; of progress only the newest per run and step is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Event | None] = []
        self._newest: dict[tuple[str, str], int] = {}

    def put(self, event: Event) -> bool:
        """Keep *event*; True when it is the first since the last ``take``."""
        from sync.events import Progress

        with self._lock:
            first = not self._events
            if isinstance(event.body, Progress):
                key = (str(event.body.run), event.body.phase.value)
                if key in self._newest:
                    self._events[self._newest[key]] = None
                self._newest[key] = len(self._events)
            self._events.append(event)
            return first

    def take(self) -> tuple[Event, ...]:
        """What came since the last time."""
        with self._lock:
            events, self._events = self._events, []
            self._newest.clear()
        return tuple(event for event in events if event is not None)


class Bridge:
    """Runs reads and jobs beside the loop.

    Args:
        open_backend: gives a backend; called in each thread that needs one.
        deliver: takes a message on the loop's thread, e.g. ``App.post_message``.
    """

    def __init__(self, open_backend: Callable[[], Backend], deliver: Callable[[Message], object]) -> None:
        self._open = open_backend
        self._deliver = deliver
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reads: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._backend: Backend | None = None
        self._reader: threading.Thread | None = None
        self._closing = threading.Event()
        self._waiting = 0
        self._number = 0
        self._flushed: dict[int, float] = {}
        self.jobs: dict[int, Job[Any]] = {}

    @property
    def busy(self) -> int:
        """Reads and jobs under way; 0 means that nothing more will come by itself."""
        return self._waiting + sum(job.live for job in self.jobs.values())

    @property
    def reading(self) -> int:
        """Reads under way."""
        return self._waiting

    @property
    def writing(self) -> Job[Any] | None:
        """A live job that writes, if there is one."""
        return next((job for job in self.jobs.values() if job.live and job.writes), None)

    def start(self) -> None:
        """Begin; called on the loop's thread after the first paint."""
        self._loop = asyncio.get_running_loop()
        self._reader = threading.Thread(target=self._read_on, name="console-reads", daemon=True)
        self._reader.start()

    async def read(self, ask: Callable[[Backend], T]) -> T:
        """Value of *ask*, called with the reading thread's backend. Raises PredictiveError."""
        if self._closing.is_set():
            raise asyncio.CancelledError
        future: Future[T] = Future()
        self._waiting += 1
        try:
            self._reads.put((future, lambda: ask(self._read_with())))
            return await _value(future)
        finally:
            self._waiting -= 1

    async def aside(self, do: Callable[[], T]) -> T:
        """Value of *do*, called in a thread of its own: for what waits but needs no backend. Raises PredictiveError."""
        future: Future[T] = Future()
        self._waiting += 1
        threading.Thread(target=_answer, args=(future, do), name="console-aside", daemon=True).start()
        try:
            return await _value(future)
        finally:
            self._waiting -= 1

    def act(self, title: str, do: Callable[[Backend, threading.Event], T], *, writes: bool) -> Job[T]:
        """Start *do* in a thread of its own with a backend of its own; its end comes as ``JobEnded``."""
        self._number += 1
        job: Job[T] = Job(self._number, title, writes)
        self.jobs[job.number] = job
        threading.Thread(target=self._work, args=(job, do), name=f"console-job-{job.number}", daemon=True).start()
        return job

    async def result(self, job: Job[T]) -> T:
        """The job's value. Raises PredictiveError."""
        return await _value(job.done)

    def close(self) -> None:
        """Take nothing more from the threads and let them end."""
        self._closing.set()
        self._reads.put(None)
        for job in self.jobs.values():
            job.cancel.set()

    # ------------------------------------------------------------ in threads

    def _read_on(self) -> None:
        while (item := self._reads.get()) is not None:
            _answer(*item)
        if self._backend is not None:
            self._backend.close()

    def _read_with(self) -> Backend:
        """The reading thread's backend, opened at its first read."""
        if self._backend is None:
            self._backend = self._open()
        return self._backend

    def _work(self, job: Job[T], do: Callable[[Backend, threading.Event], T]) -> None:
        thin = Thinning()
        job.done.set_running_or_notify_cancel()
        value: T | None = None
        failed: BaseException | None = None
        try:
            backend = self._open()
            try:
                backend.listen(lambda event: self._heard(job.number, thin, event))
                value = do(backend, job.cancel)
            finally:
                backend.close()
        except BaseException as error:  # noqa: BLE001 - it is handed over to whoever waits, whatever it is
            _logged(error)
            failed = error
        self._on_loop(self._flush, job.number, thin)
        if failed is not None:
            job.done.set_exception(failed)
        else:
            job.done.set_result(value)  # type: ignore[arg-type]
        self._on_loop(self._deliver, JobEnded(job.number))

    def _heard(self, number: int, thin: Thinning, event: Event) -> None:
        if thin.put(event):
            self._on_loop(self._arm, number, thin)

    def _on_loop(self, call: Callable[..., object], *args: object) -> None:
        if self._loop is None or self._closing.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            # The loop is gone: the app closed between the check and the call, and nobody listens any more.
            self._closing.set()

    # ------------------------------------------------------------ on the loop

    def _arm(self, number: int, thin: Thinning) -> None:
        assert self._loop is not None
        since = self._loop.time() - self._flushed.get(number, 0.0)
        self._loop.call_later(max(PROMPT, REPAINT - since), self._flush, number, thin)

    def _flush(self, number: int, thin: Thinning) -> None:
        events = thin.take()
        if self._loop is not None:
            self._flushed[number] = self._loop.time()
        if events and not self._closing.is_set():
            self._deliver(EngineEvents(number, events))


class ShellBackend:
    """``Backend`` over the shell; opens it at the first use, in the thread that uses it.

    Reads and actions are the shell's own methods under the same names, so they are passed on as they are.
    """

    def __init__(self, org: OrgSettings, *, clock: Clock, read_only: bool | None = None) -> None:
        self._org = org
        self._clock = clock
        self._read_only = read_only
        self._on_event: Callable[[Event], None] = lambda event: None
        self._log: RunLog | None = None
        self._shell: Shell | None = None

    def listen(self, on_event: Callable[[Event], None]) -> None:
        """Where the shell's events go."""
        self._on_event = on_event

    def _told(self, event: Event) -> None:
        if self._log is None:
            from console.logbook import RunLog

            self._log = RunLog()
        self._log.event(event)
        self._on_event(event)

    def __getattr__(self, name: str) -> Any:
        """The shell's own attribute; opens the shell. Raises PredictiveError when it cannot be opened."""
        if name.startswith("_"):
            raise AttributeError(name)
        if self._shell is None:
            from sync.bootstrap import open_shell

            self._shell = open_shell(
                self._org,
                clock=self._clock,
                on_event=self._told,
                read_only=self._read_only,
            )
        return getattr(self._shell, name)

    def close(self) -> None:
        """Close the shell if it was opened."""
        if self._shell is not None:
            self._shell.close()
            self._shell = None


def shell_backends(org: OrgSettings, *, clock: Clock, read_only: bool | None = None) -> Callable[[], Backend]:
    """A function that gives a backend over the shell of *org*, for ``console.app.run_console``."""

    def opened() -> Backend:
        backend: Any = ShellBackend(org, clock=clock, read_only=read_only)
        return backend  # type: ignore[no-any-return]

    return opened
