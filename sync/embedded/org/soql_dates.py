"""Date literals as ranges of days, and date functions as SQL.

Fiscal years are calendar years, weeks begin on Sunday.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.embedded.org.schema import Field

Range = tuple[date, date]
_DAY = timedelta(days=1)
_UNITS = {"day": 0, "week": 0, "month": 1, "quarter": 3, "year": 12}
_COUNTED = re.compile(r"(last|next)_n_(?:fiscal_)?(day|week|month|quarter|year)s:(\d+)\Z")
_AGO = re.compile(r"n_(?:fiscal_)?(day|week|month|quarter|year)s_ago:(\d+)\Z")
_NAMED = re.compile(r"(last|this|next)_(?:fiscal_)?(week|month|quarter|year)\Z")


def _moved(first: date, months: int) -> date:
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _period(unit: str, today: date, steps: int) -> Range:
    """The day, week, month, quarter or year that is ``steps`` away from today's."""
    if unit == "day":
        return today + steps * _DAY, today + (steps + 1) * _DAY
    if unit == "week":
        sunday = today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=steps)
        return sunday, sunday + timedelta(weeks=1)
    size = _UNITS[unit]
    first = date(today.year, (today.month - 1) // size * size + 1, 1)
    return _moved(first, size * steps), _moved(first, size * (steps + 1))


def date_range(name: str, today: date) -> Range:
    """First day of a date literal's range, and the first day after it. Raises ValueError beyond the calendar."""
    try:
        return _range(name, today)
    except OverflowError as error:
        raise ValueError(name) from error


def _range(name: str, today: date) -> Range:
    simple = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if name in simple:
        return _period("day", today, simple[name])
    if name in ("last_90_days", "next_90_days"):
        name = name.replace("90_days", "n_days:90")
    if found := _NAMED.match(name):
        return _period(found[2], today, {"last": -1, "this": 0, "next": 1}[found[1]])
    if found := _AGO.match(name):
        return _period(found[1], today, -int(found[2]))
    counted = _COUNTED.match(name)
    if counted is None:
        raise ValueError(name)
    direction, unit, count = counted[1], counted[2], int(counted[3])
    if direction == "next":
        return _period(unit, today, 1)[0], _period(unit, today, count)[1]
    if unit == "day":  # the only one that includes the present
        return _period(unit, today, -count)[0], _period(unit, today, 0)[1]
    return _period(unit, today, -count)[0], _period(unit, today, 0)[0]


_NUMBER = Field("expr", "int")
_STRFTIME = {
    "CALENDAR_YEAR": "%Y",
    "FISCAL_YEAR": "%Y",
    "CALENDAR_MONTH": "%m",
    "FISCAL_MONTH": "%m",
    "DAY_IN_MONTH": "%d",
    "DAY_IN_YEAR": "%j",
    "HOUR_IN_DAY": "%H",
}
FUNCTIONS = (
    *_STRFTIME,
    "CALENDAR_QUARTER",
    "FISCAL_QUARTER",
    "DAY_IN_WEEK",
    "WEEK_IN_MONTH",
    "WEEK_IN_YEAR",
    "DAY_ONLY",
)
_SQL: Mapping[str, str] = {
    **{name: f"CAST(strftime('{part}', {{0}}) AS INTEGER)" for name, part in _STRFTIME.items()},
    "CALENDAR_QUARTER": "((CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3)",
    "FISCAL_QUARTER": "((CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3)",
    "DAY_IN_WEEK": "(CAST(strftime('%w', {0}) AS INTEGER) + 1)",
    "WEEK_IN_MONTH": "((CAST(strftime('%d', {0}) AS INTEGER) + 6) / 7)",
    "WEEK_IN_YEAR": "((CAST(strftime('%j', {0}) AS INTEGER) + 6) / 7)",
    "DAY_ONLY": "date({0})",
}


def zoned(seconds: int | None, zone: str) -> int | None:
    """An instant as the seconds that a clock in *zone* shows; a function of the database."""
    if seconds is None:
        return None
    offset = datetime.fromtimestamp(seconds, ZoneInfo(zone)).utcoffset()
    return seconds + (int(offset.total_seconds()) if offset is not None else 0)


def date_function(name: str, expression: str, kind: str, zone: str | None = None) -> tuple[Field, str]:
    """A field like the function's result, and its SQL over a date's or datetime's; instants are read in UTC, or in
    *zone*."""
    if kind == "datetime" and zone is not None:
        expression = f"zoned({expression}, '{zone}')"
    value = f"{expression}, 'unixepoch'" if kind == "datetime" else expression
    made = Field("expr", "date") if name == "DAY_ONLY" else _NUMBER
    return made, _SQL[name].format(value)
