"""What doctor says of the terminal, also while the console is open and takes what is printed."""

from __future__ import annotations

import sys

import pytest

from console.cli.doctor import terminal


class Taken:
    """What stands in for standard output while the console is open."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return True


def test_the_terminal_is_told_while_the_console_takes_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Taken())
    (check,) = terminal({"TERM": "xterm-256color", "SSH_CONNECTION": "1 2 3 4"})
    assert (check.name, check.state in ("ok", "attention")) == ("terminal", True)
    assert "TERM xterm-256color" in check.text
    assert "through SSH" in check.text
