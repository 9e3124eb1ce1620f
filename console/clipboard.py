"""Copying over the terminal (OSC 52), also through tmux and screen; and when that cannot work.

Pure: text and environment in, bytes out. A terminal confirms nothing, so whoever copies says "sent" and offers a file.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

LARGEST = 74_994
"""Bytes of text: in base64 they just stay below the 100,000 that terminals commonly take."""

CHUNK = 256
"""Bytes of one device control string in GNU screen, which drops longer ones."""

_ESC = "\x1b"
_END = "\x1b\\"


def why_not(text: str, env: Mapping[str, str]) -> str:
    """Why *text* cannot go to this terminal's clipboard; "" when it may."""
    term = env.get("TERM", "")
    if term in ("", "dumb", "linux", "unknown"):
        return f"a terminal of the kind {term or 'unknown'} has no clipboard"
    if env.get("TERM_PROGRAM") == "Apple_Terminal" and not _inside(env):
        return "macOS Terminal takes no text from programs"
    size = len(text.encode("utf-8"))
    if size > LARGEST:
        return f"{size:,} bytes are more than terminals take ({LARGEST:,})"
    return ""


def _inside(env: Mapping[str, str]) -> str:
    """``tmux``, ``screen`` or "", by what stands between us and the terminal."""
    if env.get("TMUX"):
        return "tmux"
    return "screen" if env.get("STY") or env.get("TERM", "").startswith("screen") else ""


def sequence(text: str, env: Mapping[str, str]) -> str:
    """The control sequence that puts *text* into the clipboard.

    Within tmux it goes twice: to tmux itself (``set-clipboard on``) and past it to the terminal
    (``allow-passthrough``); which of the two is allowed cannot be asked, and the same text twice does no harm. GNU
    screen takes it in pieces.
    """
    body = base64.b64encode(text.encode("utf-8")).decode("ascii")
    plain = f"{_ESC}]52;c;{body}\x07"
    inside = _inside(env)
    if inside == "tmux":
        return plain + f"{_ESC}Ptmux;{plain.replace(_ESC, _ESC * 2)}{_END}"
    if inside == "screen":
        pieces = [plain[start : start + CHUNK] for start in range(0, len(plain), CHUNK)]
        return "".join(f"{_ESC}P{piece}{_END}" for piece in pieces)
    return plain
