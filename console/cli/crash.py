"""Keeps the traceback of an unexpected error in an owner-only file of the log folder, with secrets masked.

Masking is by form (session ids, bearer tokens, JSON web tokens, private keys, ``password=``) and by value: whatever the
environment holds under a name that speaks of a secret.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

from sync.clock import SystemClock

MASK = "********"

_FORMS = (
    re.compile(r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._\-]+"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._\-!~+/=]+"),
    re.compile(r"eyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?i)(?<=:)[^/@\s:]+(?=@[\w.\-]+[:/])"),
    re.compile(
        r"""(?i)(?<=secret=)[^\s&'",]+|(?<=token=)[^\s&'",]+|(?<=password=)[^\s&'",]+|(?<=assertion=)[^\s&'",]+"""
    ),
)
_SECRET_NAME = re.compile(r"(?i)secret|token|passw|private|credential|_key$")


def mask(text: str, env: Mapping[str, str]) -> str:
    """*text* without secrets."""
    for name, value in env.items():
        if _SECRET_NAME.search(name) and len(value) >= 6:
            text = text.replace(value, MASK)
    for form in _FORMS:
        text = form.sub(MASK, text)
    return text


def keep(error: BaseException, env: Mapping[str, str], folder: Path | None = None) -> Path | None:
    """Write *error*'s traceback; the file, or None when the log folder cannot be written."""
    if folder is None:
        from platformdirs import user_log_path

        folder = user_log_path("predictive-console", appauthor=False)
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
