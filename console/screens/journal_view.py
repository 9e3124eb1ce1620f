"""Rows of a run's journal as lines. Pure."""

from __future__ import annotations

from console.present import Line, crop, crop_line, fit, instant
from console.screens.plan_view import split_label
from sync.model import Side
from sync.views import JournalRowView

STATES = ("", "written", "rejected", "drifted", "unknown")
"""What the key goes through; "" is all."""

_SIGNS = {
    "written": ("✔ ", "good"),
    "rejected": ("✖ ", "trouble"),
    "drifted": ("◐ ", "attention"),
    "unknown": ("? ", "attention"),
}


def head(width: int) -> Line:
    """Titles."""
    line = [("   ", ""), (fit("", 2), ""), (fit("Who", _name(width)), "head"), (" ", ""), (fit("To", 11), "head")]
    if width >= 76:
        line.append((fit("Field", 12), "head"))
    line.append((fit("Before → after", _change(width)), "head"))
    return (*line, (fit(" At", 9), "head")) if width >= 100 else tuple(line)


def _name(width: int) -> int:
    return 16 if width < 76 else 20 if width < 100 else 44


def _change(width: int) -> int:
    return max(10, width - _name(width) - (18 if width < 76 else 30 if width < 100 else 40))


def row(one: JournalRowView, width: int) -> Line:
    """One row."""
    name, email = split_label(one.label)
    who = f"{name}  {email}" if width >= 100 and email else name
    sign = _SIGNS.get(one.state, ("· ", "dim"))
    change = f"{one.before or '–'} → {one.after or '–'}"
    if one.state != "written":
        change = f"{one.code}: {one.message}"
    field = one.field.replace("_", " ")
    if width < 76:
        # Without a column of its own the field stands before its values.
        change = f"{field}: {change}"
    return crop_line(
        (
            ("   ", ""),
            sign,
            (fit(who, _name(width)), ""),
            (" ", ""),
            (fit("Salesforce" if one.side is Side.SALESFORCE else "Predictive", 11), "dim"),
            (fit(field, 12) if width >= 76 else "", "dim"),
            (fit(change, _change(width)), ""),
            (fit(f" {one.at:%H:%M:%S}", 9) if width >= 100 else "", "dim"),
        ),
        width,
    )


def detail_lines(one: JournalRowView | None, width: int) -> tuple[Line, ...]:
    """The row under the cursor in full."""
    if one is None:
        return ()
    first = crop_line(
        (
            ("   ", ""),
            (one.label, "strong"),
            (f"  {one.field}: ", "dim"),
            (f"{one.before or '–'} → {one.after or '–'}", ""),
            (f"  {one.state}", "dim"),
        ),
        width,
    )
    if one.state != "written":
        second = f"{one.code} {one.message}" + (f" → {one.remedy}" if one.remedy else "")
    else:
        second = f"{one.change} · {one.subject_id} · run {one.run} row {one.seq} · {instant(one.at)}"
    return first, (("   ", ""), (crop(second, width - 4), "dim"))


def nothing_lines(filtered: bool) -> tuple[Line, ...]:
    """What an empty journal says."""
    if filtered:
        return ((("   No row is like that. ", "dim"), ("esc", "key"), (" shows all.", "dim")),)
    return ((("   This run wrote no row. ", "dim"), ("esc", "key"), (" back", "dim")),)
