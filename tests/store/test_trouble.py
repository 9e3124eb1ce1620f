"""A state whose database fails under a command: one line with a remedy, nothing of the statement and its values."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from sync.errors import ConfigError, PredictiveError
from sync.store.store import open_store
from sync.store.trouble import state_trouble


def met(url: str, *before: str) -> PredictiveError | None:
    """What is said of the error that writing somebody's address meets."""

    def write() -> None:
        with create_engine(url).connect() as conn:
            for statement in before:
                conn.execute(text(statement))
            conn.execute(text("INSERT INTO t VALUES (:a)"), {"a": "somebody@example.org" * 4_000})

    with pytest.raises(DBAPIError) as caught:
        write()
    return state_trouble(caught.value)


def made(path: Path) -> Path:
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE t (a)")
    return path


def test_a_full_disk_a_read_only_file_and_a_damaged_one_each_have_a_remedy(tmp_path: Path) -> None:
    path = made(tmp_path / "s.db")
    full = met(f"sqlite:///{path}", "PRAGMA max_page_count=3")
    shut = met(f"sqlite:///file:{path}?mode=ro&uri=true")
    (tmp_path / "x.db").write_bytes(b"no database at all, but long enough to look like one" * 40)
    damaged = met(f"sqlite:///{tmp_path / 'x.db'}")
    for error, what, remedy in (
        (full, "disk that holds the state is full", "free some space"),
        (shut, "the state cannot be written", "writable"),
        (damaged, "file is damaged", "restore it"),
    ):
        assert error is not None
        assert error.exit_code == 1
        assert what in error.line()
        assert remedy in error.line()
        assert "somebody" not in error.line()
        assert "INSERT" not in error.line()


def test_other_errors_stay_what_they_are() -> None:
    assert state_trouble(ValueError("no such thing")) is None
    twice = ("CREATE TABLE u (a UNIQUE)", "CREATE TABLE t (a)", "INSERT INTO u VALUES (1), (1)")
    assert met("sqlite://", *twice) is None, "a broken constraint is a defect of ours, not of the disk"


def test_a_file_that_is_no_database_is_a_configuration_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 40)
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        open_store(path)
    assert "move it away" in caught.value.remedy
    assert path.read_text().startswith("Dear Sir")
