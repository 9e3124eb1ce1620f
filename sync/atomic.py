"""Files written whole or not at all: beside the old one, then renamed over it, readable by their owner only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from sync.errors import ConfigError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose bytes become *path* (mode 0600) when the block ends; its folder is made where it is missing.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file stands as it was.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            yield stream
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Replace *path* by *text* (UTF-8). Raises OSError as ``replacing``."""
    with replacing(path) as stream:
        stream.write(text.encode())


def write_toml(path: Path, content: Mapping[str, Any], what: str) -> None:
    """Replace *path* by *content* as TOML.

    Args:
        what: what the file is, for the error: "the configuration".

    Raises:
        ConfigError: it cannot be written.
    """
    import tomli_w

    try:
        with replacing(path) as stream:
            tomli_w.dump(content, stream)
    except OSError as error:
        raise ConfigError(
            f"{what} cannot be written: {error.strerror}",
            where=str(path),
            left_undone="it is as it was",
            remedy="check that its folder is yours and has room",
        ) from error
