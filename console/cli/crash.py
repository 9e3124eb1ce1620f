"""Keeps the traceback of an unexpected error in an owner-only file of the log folder: frames without their local
variables, which hold people and tokens, and with secrets masked.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from pathlib import Path

from console.masking import MASK, mask
from console.places import log_folder
from sync.clock import SystemClock

__all__ = ["MASK", "keep", "mask"]


def keep(error: BaseException, env: Mapping[str, str], folder: Path | None = None) -> Path | None:
    """Write *error*'s traceback; the file, or None when the log folder cannot be written."""
    folder = folder or log_folder()
    text = mask("".join(traceback.format_exception(error)), env)
    name = f"crash-{SystemClock().now():%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return path
