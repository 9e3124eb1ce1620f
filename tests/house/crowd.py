"""Processes that do the same thing at one moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any


def at_once(work: Callable[..., None], given: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What a process answers for each of *given*, in the order in which they answer.

    Args:
        work: takes a barrier that all of them pass together, a queue for its one answer, and what was given to it.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(len(given)), context.Queue()
    crowd = [context.Process(target=work, args=(barrier, answers, *each)) for each in given]
    for each in crowd:
        each.start()
    told = [answers.get(timeout=90) for _ in crowd]
    for each in crowd:
        each.join(60)
        assert each.exitcode == 0
    return told
