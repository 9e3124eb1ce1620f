"""A thousand changes of screen: ``python -m tests.bench.churn CHANGES`` prints MiB that the process grew by.

Every kind of screen is opened and left in turn, as somebody does who looks around for a day.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

from tests.screens.fakes import FakeBackend
from tests.screens.scenes import console
from tests.screens.waiting import press, settle

ROUND = ("enter", "escape", "2", "escape", "3", "escape", "4", "escape", "5", "escape", "question_mark", "escape")


def resident() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def main(changes: int) -> float:
    """Growth after a first tenth, which fills caches that have a limit."""
    app = console(FakeBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        begun = 0.0
        for number in range(changes + changes // 10):
            if number == changes // 10:
                gc.collect()
                begun = resident()
            await press(pilot, ROUND[number % len(ROUND)])
        gc.collect()
        return resident() - begun


if __name__ == "__main__":
    print(asyncio.run(main(int(sys.argv[1]))))
