"""Campaigns of a batch, or of its simulation, as lines: mails, writes on either side, or why one was left out.

Pure.
"""

from __future__ import annotations

from console.present import Line, changes, count, crop, crop_line, fit, run_state
from sync.views import CampaignResult
from sync.words import plural


def _sizes(width: int) -> tuple[int, int, int]:
    """Cells of the name, of the mails, and of the rows that go to a side."""
    return (width - 47, 7, 11) if width < 76 else (min(44, width - 56), 11, 13)


def head(width: int, simulated: bool) -> Line:
    """Titles; a simulation says "would" where there is room."""
    name, mails, side = _sizes(width)
    titles = ("Mails", "Predictive", "Salesforce")
    if width >= 76:
        titles = ("Would mail" if simulated else "Mailed", "→ Predictive", "→ Salesforce")
    return (
        ("   ", ""),
        (fit("Campaign", name), "head"),
        (fit(titles[0], mails, "right"), "head"),
        (fit(titles[1], side, "right"), "head"),
        (fit(titles[2], side, "right"), "head"),
        (fit("  Members", min(15, width - 3 - name - mails - 2 * side)), "head"),
    )


def row(result: CampaignResult, width: int) -> Line:
    """One campaign."""
    name, mails, side = _sizes(width)
    if result.skipped is not None:
        saved = f", {plural(result.saved_calls, 'call')} saved" if result.saved_calls else ""
        text = crop(f"  left out: {result.skipped}{saved}", width - name - 4)
        return (("   ", ""), (fit(result.name, name), "dim"), (text, "dim"))
    counts = result.counts
    tone, sign = "", ""
    if result.error or result.guards:
        sign, _, tone = run_state(result.state)
    return crop_line(
        (
            ("   ", ""),
            (fit(result.name, name), ""),
            (fit(count(counts.mails_released or None), mails, "right"), ""),
            (fit(count(counts.predictive_rows), side, "right"), ""),
            (fit(count(counts.salesforce_rows), side, "right"), ""),
            ("  ", ""),
            (f"{sign} " if sign else "", tone),
            (result.error or changes(counts), "dim"),
        ),
        width,
    )
