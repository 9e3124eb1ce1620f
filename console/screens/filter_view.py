"""What says which filter is in force, and that it leaves nothing. Pure."""

from __future__ import annotations

from console.present import Line, cells, count, crop


def filter_lines(text: str, found: int, total: int, width: int, *, problem: str = "") -> tuple[Line, ...]:
    """The filter in force and how much it leaves, with the key that takes it away; nothing without one.

    Args:
        text: the filter as it was typed.
        found: rows that pass.
        total: all rows.
        width: cells of the terminal; a long filter is cut, what it leaves never is.
        problem: what of the filter cannot be read, said in place of what it leaves.
    """
    if not text:
        return ()
    tail: Line = ((f"  {count(found)} of {count(total)}; ", "dim"), ("esc", "key"), (" shows all", "dim"))
    if problem:
        tail = ((f"  {crop(problem, max(20, min(60, width - 10 - cells(text))))}", "attention"),)
    room = max(8, width - 6 - sum(cells(part) for part, _ in tail))
    return ((("   / ", "key"), (crop(text, room), "strong"), *tail), ())


def nothing_passes(row: str) -> tuple[Line, ...]:
    """What a list says whose filter leaves no *row*."""
    return (((f"   No {row} passes the filter. ", "dim"), ("esc", "key"), (" shows all.", "dim")),)
