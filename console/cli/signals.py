"""Ctrl-C, SIGTERM, SIGHUP: the first ends a run after the batch in flight, the second stops at once.

The one place that installs signal handlers. A handler runs between two instructions of the main thread, which may
hold the event's own lock just then; so the event is set by a thread of its own.
"""

from __future__ import annotations

import _thread
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

    __slots__ = ("_before", "_seen", "cancel", "quiet")

    def __init__(self, *, quiet: bool = False) -> None:
        self.cancel = threading.Event()
        self.quiet = quiet
        self._seen = False
        self._before: dict[signal.Signals, object] = {}

    @property
    def seen(self) -> bool:
        """True after the first signal."""
        return self._seen

    def __enter__(self) -> Stopping:
        # Only the main thread may set handlers; elsewhere a run is stopped by who started it.
        here = threading.current_thread() is threading.main_thread()
        for number in endings() if here else ():
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._seen:
            os._exit(INTERRUPTED)
        self._seen = True
        _thread.start_new_thread(self.cancel.set, ())
        if not self.quiet:
            # The terminal itself may be what went away.
            with contextlib.suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), b"stopping after the batch in flight; once more stops at once\n")


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handler for everything that is not a run: ends by KeyboardInterrupt, so that clean-up runs."""
    raise KeyboardInterrupt
