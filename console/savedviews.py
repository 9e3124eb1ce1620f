"""Saved views of the overview: a filter with an order under a name, kept in a small file beside the last view.

Imports the standard library and ``sync.atomic``. A file that cannot be read is no view; saving over it keeps a copy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sync.atomic import write_text

FORMAT = 1
MOST = 24
"""Views kept; the menu has a letter for each."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A filter with an order under a name."""

    name: str
    text: str = ""
    order: str = "attention"
    reverse: bool = False


BUILT_IN: tuple[SavedView, ...] = (
    SavedView("all campaigns"),
    SavedView("what needs you", "warn:"),
    SavedView("closed with auto-sync on", "state:closed auto:on"),
    SavedView("synced tonight", "auto:on !state:closed", "next"),
    SavedView("activity that waits", "pending>0"),
)
"""Views that are always there."""


def read(path: Path | None) -> tuple[SavedView, ...]:
    """The views kept in *path*; none when there is no such file, or it is none of ours."""
    if path is None:
        return ()
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] != FORMAT:
            return ()
        return tuple(
            SavedView(str(item["name"]), str(item["text"]), str(item["order"]), bool(item["reverse"]))
            for item in body["views"][:MOST]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def write(path: Path, views: Sequence[SavedView]) -> None:
    """Keep *views*. Raises OSError when the folder cannot be written."""
    body = {"format": FORMAT, "views": [asdict(view) for view in views[:MOST]]}
    write_text(path, json.dumps(body, ensure_ascii=False, indent=1))


def with_view(views: Sequence[SavedView], new: SavedView) -> tuple[SavedView, ...]:
    """*views* with *new*, in place of one of the same name; the oldest goes when there are too many."""
    return (*(view for view in views if view.name != new.name), new)[-MOST:]


def without_view(views: Sequence[SavedView], name: str) -> tuple[SavedView, ...]:
    """*views* without the one called *name*."""
    return tuple(view for view in views if view.name != name)
