"""Standard streams that cannot take what is said: what people are told, and where the rest goes. Imports nothing."""

from __future__ import annotations

import os
from typing import IO


def lost_words(error: OSError) -> str:
    """Why standard output did not take everything."""
    return f"standard output cannot be written: {error.strerror}. What was printed is not complete."


def to_nowhere(stream: IO[str]) -> None:
    """What the stream still holds, and what comes after it, is thrown away instead of failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
