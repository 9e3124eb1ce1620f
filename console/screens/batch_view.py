"""Campaigns of a batch, or of its simulation, as lines: mails, writes on either side, or why one was left out.

Pure.
"""

from __future__ import annotations

from console.present import Line, changes, count, crop, crop_line, fit, run_state
from sync.views import CampaignResult


def _name_width(width: int) -> int:
    return max(14, min(44, width - 56))


def head(width: int, simulated: bool) -> Line:
    """Titles; a simulation says "would"."""
    name = _name_width(width)
    mails = "Would mail" if simulated else "Mailed"
    return (
        ("   ", ""),
        (fit("Campaign", name), "head"),
        (fit(mails, 11, "right"), "head"),
        (fit("→ Predictive", 13, "right"), "head"),
        (fit("→ Salesforce", 13, "right"), "head"),
        (fit("  Members", 15), "head"),
    )


def row(result: CampaignResult, width: int) -> Line:
    """One campaign."""
    name = _name_width(width)
    if result.skipped is not None:
        saved = f", {result.saved_calls} calls saved" if result.saved_calls else ""
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
            (fit(count(counts.mails_released or None), 11, "right"), ""),
            (fit(count(counts.predictive_rows), 13, "right"), ""),
            (fit(count(counts.salesforce_rows), 13, "right"), ""),
            ("  ", ""),
            (f"{sign} " if sign else "", tone),
            (result.error or changes(counts), "dim"),
        ),
        width,
    )
