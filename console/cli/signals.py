"""Ctrl-C, SIGTERM, SIGHUP: the first ends a run after the batch in flight, the second stops at once.

The one place that installs signal handlers. A handler runs between two instructions of the main thread: it may not set
an event, whose lock that thread may hold just then; and of a signal that comes just before the thread begins to wait
for an answer it hears when the answer is there. Therefore a thread listens, too, at the pipe into which each signal is
written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType, TracebackType

INTERRUPTED = 130


def endings() -> tuple[signal.Signals, ...]:
    """Signals that end a command: Ctrl-C, SIGTERM, and the terminal's going away unless nohup took that out."""
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangup)


class Stopping:
    """While entered: the first signal sets ``cancel``, the second ends the process with 130."""

    __slots__ = ("_before", "_listener", "_pipe", "_pipe_before", "_seen", "cancel", "quiet")

    def __init__(self, *, quiet: bool = False) -> None:
        self.cancel = threading.Event()
        self.quiet = quiet
        self._seen = False
        self._before: dict[signal.Signals, object] = {}
        self._pipe: int | None = None
        self._pipe_before = -1
        self._listener: threading.Thread | None = None

    @property
    def seen(self) -> bool:
        """True after the first signal."""
        return self._seen

    def __enter__(self) -> Stopping:
        # Only the main thread may set handlers; elsewhere a run is stopped by who started it.
        if threading.current_thread() is threading.main_thread():
            reading, self._pipe = os.pipe()
            os.set_blocking(self._pipe, False)
            self._listener = threading.Thread(target=self._listen, args=(reading,), name="signals", daemon=True)
            self._listener.start()
            self._pipe_before = signal.set_wakeup_fd(self._pipe, warn_on_full_buffer=False)
            for number in endings():
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
        if self._pipe is not None and self._listener is not None:
            signal.set_wakeup_fd(self._pipe_before)
            os.close(self._pipe)
            self._listener.join()
            self._pipe = self._listener = None

    def _listen(self, reading: int) -> None:
        """Hear each signal when it comes, whatever the main thread waits for."""
        numbers, once = frozenset(map(int, endings())), False
        with open(reading, "rb", buffering=0) as pipe:
            while heard := pipe.read(64):
                for _ in filter(numbers.__contains__, heard):
                    if once:
                        os._exit(INTERRUPTED)
                    once = True
                    self.cancel.set()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._seen:
            os._exit(INTERRUPTED)
        self._seen = True
        if not self.quiet:
            # The terminal itself may be what went away.
            with contextlib.suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), b"stopping after the batch in flight; once more stops at once\n")


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handler for everything that is not a run: ends by KeyboardInterrupt, so that clean-up runs."""
    raise KeyboardInterrupt
