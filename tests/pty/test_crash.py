"""An unexpected error in a real terminal: it is given back as it was, with one line that says where the report lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.pty.test_terminals import opened


@pytest.mark.slow
def test_an_unexpected_error_gives_the_terminal_back_and_tells_no_secret(
    terminal: Any, stored: Path, tmp_path: Path
) -> None:
    secret = "tok-of-the-org-12345"
    shown = opened(
        terminal(
            "--config", str(stored), home=tmp_path, module="tests.pty.crashing", more={"SOME_TOKEN": secret},
            columns=300,
        )
    )  # fmt: skip
    begun = len(shown.raw)
    shown.send("3")
    assert shown.ended() == 1
    said = bytes(shown.raw[begun:]).decode()
    (report,) = tmp_path.rglob("crash-*.txt")
    assert str(report) in said
    assert "Nothing that was journalled is lost" in said
    # The screen before is back, the cursor is seen, and no mouse or paste mode is left on.
    for mode in ("1049l", "25h", "1000l", "2004l"):
        assert f"\x1b[?{mode}" in said
    kept = report.read_text(encoding="utf-8")
    assert "in fails" in kept
    for text in (said, kept):
        assert secret not in text
        assert "********" in text
    assert "Traceback" not in said
    assert report.stat().st_mode & 0o77 == 0
