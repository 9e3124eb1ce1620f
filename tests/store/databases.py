"""Places for a state, of either kind: in memory of this process, or where other processes can open it, too."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.house.postgres import database

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
"""Databases that hold a state: what is proven of one is to be proven of the other."""


@contextmanager
def empty(kind: str) -> Iterator[str]:
    """A URL for ``open_store`` whose state is empty and ends with the block."""
    if kind == "postgresql":
        with database() as url:
            yield url
    else:
        yield "sqlite://"


@contextmanager
def shared(kind: str, *, bare: bool = False) -> Iterator[str]:
    """The same for a state that other processes open, too; *bare*: without tables, so that opening makes them."""
    if kind == "postgresql":
        with database(bare=bare) as url:
            yield url
        return
    folder = tempfile.mkdtemp(prefix="state-")
    try:
        yield f"sqlite:///{folder}/state.db"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
