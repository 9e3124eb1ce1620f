"""The outbox: a folder that takes each mail as one .eml file named by its id, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sync.embedded.service.service import DeliveryError


class Outbox:
    """Writes messages as files. Safe from any thread; the same mail again replaces its own file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for draft in folder.glob(".*.tmp"):  # left by a process that died while writing
            draft.unlink(missing_ok=True)

    def deliver(self, mail_id: str, message: bytes) -> None:
        """Write, then rename. Raises DeliveryError when the disk refuses."""
        draft = self._folder / f".{mail_id}.tmp"
        try:
            draft.write_bytes(message)
            os.replace(draft, self._folder / f"{mail_id}.eml")
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise DeliveryError(f"the outbox does not take the mail: {error.strerror}") from error
