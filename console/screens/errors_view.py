"""Failed rows by type as lines: what went wrong, how many rows, whose, and what a person can do. Pure."""

from __future__ import annotations

from datetime import datetime

from console.failureboard import Board, Place, key_of
from console.present import Line, ago, count, crop, crop_line, fit, spread, wrap
from console.screens.plan_view import split_label
from sync.words import plural


def group_line(place: Place, board: Board, now: datetime, width: int) -> Line:
    """A type of failure: rows, cause, code, campaigns, age."""
    group = place.group
    sign = ("◐ ", "attention") if group.passes else ("✖ ", "trouble")
    marked = sum(key_of(row) in board.marked for row in group.rows)
    left: list[tuple[str, str]] = [
        ("   ", ""),
        sign,
        (f"{count(group.count)} × ", "strong"),
        (group.cause, ""),
        (f"  {group.code}", "dim"),
    ]
    if marked:
        left.append((f"  {marked} marked", "key"))
    where = group.campaigns[0][1] if len(group.campaigns) == 1 else plural(len(group.campaigns), "campaign")
    words = f"{crop(where, 24)} · {ago(group.newest, now)} " if width >= 100 else ""
    arrow = "▾" if group.code in board.opened else "▸"
    return spread(left, [(words, "dim"), (f"{arrow} ", "faint")], width)


def row_line(place: Place, board: Board, width: int) -> Line:
    """One row: whose, which field, what the other side said."""
    row = place.row
    assert row is not None
    name, email = split_label(row.label)
    mark = ("● ", "key") if key_of(row) in board.marked else ("  ", "")
    line = [("     ", ""), mark, (fit(name, 22), ""), (" ", "")]
    if width >= 100:
        line += [(fit(email, 28), "dim"), (" ", "")]
    line += [(fit(row.field, 10), "dim"), (" ", ""), (row.message, "dim")]
    return crop_line(line, width)


def detail_lines(place: Place | None, board: Board, width: int) -> tuple[Line, ...]:
    """What the line under the cursor means and what to do about it."""
    if place is None:
        return ()
    group, row = place.group, place.row
    remedy = row.remedy if row is not None and row.remedy else group.remedy
    lines: list[Line] = []
    if row is not None:
        lines.append(crop_line((("   ", ""), (row.label, "strong"), (f"  {row.field}: {row.message}", "dim")), width))
    else:
        people = f"{plural(group.count, 'row')} of {plural(group.people, 'record')}"
        lines.append(crop_line((("   ", ""), (group.cause.capitalize(), "strong"), (f"  {people}", "dim")), width))
    for place_, part in enumerate(wrap(remedy, width - 6)[:2]):
        lines.append((("   → " if not place_ else "     ", "key"), (part, "")))
    if group.passes:
        lines.append(
            (("   It passes by itself: the next run tries again. ", "dim"), ("t", "key"), (" tries now", "dim"))
        )
    elif board.marked:
        lines.append(
            (("   ", ""), ("t", "key"), (f" tries the {plural(len(board.marked), 'marked row')} again", "dim"))
        )
    else:
        what = "this row" if row is not None else "all of them"
        lines.append(
            (("   ", ""), ("t", "key"), (f" tries {what} again, ", "dim"), ("space", "key"), (" marks", "dim"))
        )
    return tuple(lines)


def nothing_lines(width: int) -> tuple[Line, ...]:
    """What an empty board says."""
    about = "Rows that were refused stand here by type, with cause and remedy, until a later run writes them."
    return (
        (("   ✔ ", "good"), ("Nothing failed that was not mended since.", "strong")),
        (),
        *(((f"   {part}", "dim"),) for part in wrap(about, width - 6)),
        (("   ", ""), ("esc", "key"), (" back", "dim")),
    )
