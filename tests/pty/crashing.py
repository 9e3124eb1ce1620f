"""The console with a fault behind the key of the schedule; run it as ``python -m tests.pty.crashing``."""

from __future__ import annotations

import os
import sys

from console.app import ConsoleApp
from console.main import main


def fails(app: ConsoleApp) -> None:
    """An error whose text and whose frame hold a secret."""
    held = os.environ["SOME_TOKEN"]
    raise RuntimeError(f"no answer for {held}")


if __name__ == "__main__":
    ConsoleApp.do_view_schedule = fails  # type: ignore[method-assign]
    sys.exit(main())
