"""E-mail history by hour, statistics over time and campaign metrics as lines.

Pure: values of the campaign in, lines out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from console.present import NONE, Line, count, crop, crop_line, fit, meter, since, sparkline, width_of
from sync.metrics import Metric
from sync.model import Edition, HistoryHour, Statistics
from sync.words import plural

DAYS = 30
"""Days of e-mail history that the product keeps on its dashboard."""

CURVES = ("sent", "delivered", "opened", "clicked", "completed", "bounced", "opted_out")


def history_rows(history: Sequence[HistoryHour], text: str, names: Mapping[str, str]) -> tuple[HistoryHour, ...]:
    """Hours, the newest first, whose edition or subject has *text*."""
    sought = text.casefold()
    kept = [hour for hour in history if sought in f"{names.get(hour.edition_id, '')} {hour.subject or ''}".casefold()]
    return tuple(sorted(kept, key=lambda hour: (hour.day, hour.hour, hour.id), reverse=True))


def edition_names(editions: Sequence[Edition]) -> dict[str, str]:
    """Edition id → name."""
    return {str(edition.id): edition.name for edition in editions}


def by_day(history: Sequence[HistoryHour], today: date) -> tuple[int, ...]:
    """E-mails on each of the last 30 days, the oldest first."""
    sums: dict[date, int] = defaultdict(int)
    for hour in history:
        sums[hour.day] += hour.count
    return tuple(sums[today - timedelta(days=DAYS - 1 - place)] for place in range(DAYS))


def history_line(history: Sequence[HistoryHour], today: date, width: int) -> Line:
    """The last 30 days as a curve, with its sum and its highest day."""
    days = by_day(history, today)
    curve = sparkline(days, min(DAYS, max(10, width - 50)))
    if not curve:
        return (("   No e-mail in the last 30 days.", "dim"),)
    line = (
        ("   ", ""),
        (curve, "accent"),
        (f"  {plural(sum(days), 'e-mail')} in {DAYS} days", ""),
        (f", at most {count(max(days))} a day", "dim"),
    )
    return crop_line(line, width)


def history_head(width: int) -> Line:
    """Titles."""
    return (
        ("   ", ""),
        (fit("Org's day", 12), "head"),
        (fit("Hour", 7), "head"),
        (fit("E-mails", 9, "right"), "head"),
        ("  ", ""),
        (fit("", 12), ""),
        ("  ", ""),
        (fit("Edition", max(10, width - 52)), "head"),
    )


def history_row(hour: HistoryHour, most: int, names: Mapping[str, str], width: int) -> Line:
    """One hour of one edition."""
    name = names.get(hour.edition_id, hour.edition_id)
    about = f"{name}  {hour.subject}" if hour.subject else name
    return crop_line(
        (
            ("   ", ""),
            (fit(f"{hour.day:%Y-%m-%d}", 12), ""),
            (fit(f"{hour.hour:02}:00", 7), "dim"),
            (fit(count(hour.count), 9, "right"), ""),
            ("  ", ""),
            (meter(hour.count / most if most else None, 12), "bar"),
            ("  ", ""),
            (crop(about, max(10, width - 50)), "dim"),
        ),
        width,
    )


def gains(curve: Sequence[tuple[datetime, Statistics]], name: str, now: datetime, days: int) -> tuple[int, ...]:
    """What the figure *name* gained in each of the last *days* days, the oldest first; a figure never loses.

    What it had come to when it was first read belongs to no day.
    """
    start = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    out = [0] * days
    before: int | None = None
    for at, stats in curve:
        value = int(getattr(stats, name))
        if before is not None and at >= start:
            out[min(days - 1, (at - start).days)] += max(0, value - before)
        before = value
    return tuple(out)


def curve_of(curve: Sequence[tuple[datetime, Statistics]], name: str, now: datetime, width: int) -> str:
    """The last two weeks of a figure as a curve of at most *width* cells; "" without anything to draw."""
    return sparkline(gains(curve, name, now, 14), min(14, width))


# ---------------------------------------------------------------- metrics


def metric_lines(metrics: Sequence[Metric], at: datetime | None, now: datetime, width: int) -> tuple[Line, ...]:
    """Each metric with the org's own figure, Predictive's and what it means; figures that differ are marked."""
    told = f"Salesforce's own figures, read {since(at, now)}" if at else "Salesforce's own figures were not read yet"
    differ = any(metric.differs for metric in metrics)
    about: Line = (
        ("   ", ""),
        (told, "dim"),
        ("; ", "dim"),
        ("g", "key"),
        (" reads them anew", "dim"),
    )
    legend: Line = (("≠", "attention"), (" waits or is older", "dim")) if differ else ()
    heads: tuple[Line, ...] = (about, (("   ", ""), *legend)) if legend else (about,)
    if legend and width_of((*about, *legend)) + 2 <= width:
        heads = ((*about, (", ", "dim"), *legend),)
    wide = width >= 100
    lines: list[Line] = [
        *(crop_line(line, width) for line in heads),
        (),
        crop_line(
            (
                ("   ", ""),
                (fit("Metric", 24), "head"),
                (fit("Salesforce", 12, "right"), "head"),
                (fit("Predictive", 12, "right"), "head"),
                ("     ", ""),
                (fit("What it is" if wide else "", max(0, width - 58)), "head"),
            ),
            width,
        ),
    ]
    for metric in metrics:
        mark = ("≠ ", "attention") if metric.differs else ("  ", "")
        line = [
            ("   ", ""),
            (fit(metric.label, 24), ""),
            (fit(_figure(metric.salesforce, metric.share), 12, "right"), ""),
            (fit(_figure(metric.predictive, metric.share), 12, "right"), ""),
            ("   ", ""),
            mark,
        ]
        if wide:
            line.append((crop(metric.formula, width - 58), "dim"))
        lines.append(crop_line(line, width))
        if not wide:
            lines.append((("     ", ""), (crop(metric.formula, width - 8), "faint")))
    return tuple(crop_line(line, width) for line in lines)


def _figure(value: float | None, share: bool) -> str:
    if value is None:
        return NONE
    return f"{value:.1f}%" if share else count(round(value))
