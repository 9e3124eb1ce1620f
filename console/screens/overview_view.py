"""The overview's rows, warnings and legend as lines.

Pure: campaign views in, lines out. Columns come by width; what is seen at 80 cells does not move away at 120.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from console.orders import BY_NAME
from console.present import (
    Line,
    ago,
    count,
    crop,
    crop_line,
    fit,
    folded,
    percent,
    sparkline,
    status_bar,
    sync_mark,
    until,
    width_of,
    wrap,
)
from console.viewstate import OverviewState
from sync.views import CampaignView, PulseView
from sync.words import plural


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, cells, where it comes from *at* terminal width on, and the side it is set to."""

    title: str
    width: int
    at: int = 0
    align: str = "left"


COLUMNS = (
    Column("Type", 9, 64),
    Column("Members", 8, 0, "right"),
    Column("Status", 10, 72),
    Column("Open", 6, 0, "right"),
    Column("Last sync", 12, 0),
    Column("Active", 8, 104, "right"),
    Column("Inactive", 8, 112, "right"),
    Column("Sent", 9, 120, "right"),
    Column("Click", 6, 128, "right"),
    Column("Next", 6, 136, "right"),
    Column("Ed.", 4, 144, "right"),
    Column("Owner", 14, 152),
)


def shown(width: int) -> tuple[Column, ...]:
    """Columns beside the name at *width* cells."""
    return tuple(column for column in COLUMNS if width >= column.at)


def name_width(width: int) -> int:
    """What is left for the campaign's name."""
    taken = sum(column.width + 2 for column in shown(width)) + 4
    return max(12, min(width - taken, 48 if width >= 104 else 60))


def _last(view: CampaignView, now: datetime) -> tuple[str, str, str]:
    closed_cost = view.state == "closed" and view.campaign.auto_sync
    glyph, words, tone = sync_mark(
        view.last_state, view.last_run, now, locked=bool(view.locked), paused=bool(view.paused), closed_cost=closed_cost
    )
    if view.running:
        return "◐", "running", "accent"
    return glyph, f"{words} {view.last_note}" if view.last_note and glyph in "◐✖" else words, tone


def head(width: int, state: OverviewState) -> Line:
    """Titles; the column that gives the order has a mark."""
    mark = "▴" if state.reverse else "▾"
    ordered = BY_NAME[state.order].column if state.order in BY_NAME else ""

    def titled(title: str, size: int, align: str) -> tuple[str, str]:
        text = title if title != ordered else f"{title}{mark}"
        return fit(text, size, align), "strong" if title == ordered else "head"

    line: list[tuple[str, str]] = [("   ", ""), titled("Campaign", name_width(width), "left")]
    for column in shown(width):
        line += [("  ", ""), titled(column.title, column.width, column.align)]
    return tuple(line)


def row(view: CampaignView, width: int, now: datetime, *, marked: bool = False) -> Line:
    """One campaign; a marked one has a dot before its name."""
    quiet = "dim" if view.state == "closed" else ""
    glyph, words, tone = _last(view, now)
    figures: dict[str, tuple[str, str]] = {
        "Type": (view.campaign.type.value if view.campaign.type else (view.campaign.type_label or "–"), "dim"),
        "Members": (count(view.total), quiet),
        "Status": (status_bar(view.members, 10), "bar"),
        "Open": (percent(view.opened, view.delivered), quiet),
        # What was never started has none of these yet: no figure, which is not the same as zero.
        "Active": (count(view.active if view.started else None), quiet),
        "Inactive": (count(view.inactive if view.started else None), "dim"),
        "Sent": (count(view.sent if view.started else None), quiet),
        "Click": (percent(view.clicked, view.delivered), quiet),
        "Next": (until(view.next_run, now), "dim"),
        "Ed.": (count(view.editions) if view.editions else "–", "dim"),
        "Owner": (view.campaign.owner or "–", "dim"),
    }
    first = [("   ", ""), ("● ", "key")] if marked else [("   ", "")]
    name = fit(view.campaign.name, name_width(width) - 2 * marked)
    line: list[tuple[str, str]] = [*first, (name, "strong" if marked else quiet)]
    for column in shown(width):
        line.append(("  ", ""))
        if column.title == "Last sync":
            line += [(glyph + " ", tone), (fit(words, column.width - 2), "" if glyph in "▲✖■" else "dim")]
        else:
            text, how = figures[column.title]
            line.append((fit(text, column.width, column.align), how))
    return tuple(line)


_SIGNS = {
    "locked": ("■", "trouble"),
    "failed": ("✖", "trouble"),
    "paused": ("‖", "attention"),
    "rejected": ("◐", "attention"),
    "drifted": ("◐", "attention"),
}


_MENDS = {
    "locked": "U unlocks it",
    "paused": "P ends that",
    "not-started": "n starts it",
    "never-synced": "s shows what it would do",
    "closed-auto-sync": "w clears it",
    "rejected": "6 lists them",
    "drifted": "s shows what is left",
    "failed": "2 lists its runs",
    "refused": "s shows the plan",
    "edition-blocked": "enter shows it",
}
"""The key that mends what is warned of; it acts on the campaign under the cursor."""


def warning_lines(
    views: Sequence[CampaignView], chosen: CampaignView | None, width: int, most: int
) -> tuple[Line, ...]:
    """What needs a person, the chosen campaign's first, in at most *most* lines; then how many more there are."""
    found = [(view, warned) for view in views for warned in view.warnings]
    if chosen is not None:
        found.sort(key=lambda pair: pair[0].campaign.id != chosen.campaign.id)
    lines: list[Line] = []
    shown = 0
    for place, (view, warned) in enumerate(found):
        glyph, tone = _SIGNS.get(warned.code, ("▲", "attention"))
        name = crop(view.campaign.name, 30)
        text = warned.text if warned.text.startswith(view.campaign.name) else f"{name}: {warned.text}"
        key = f"  {_MENDS[warned.code]}" if view is chosen and warned.code in _MENDS else ""
        parts = wrap(text, width - 6)
        if len(parts[-1]) + len(key) > width - 6:
            parts.append("")
        last = place + 1 == len(found)
        if len(lines) + len(parts) + (not last) > most:
            parts = [crop(text, width - 6 - len(key))]
        if len(lines) + len(parts) + (not last) > most:
            break
        told: list[Line] = [((part, ""),) for part in parts]
        told[-1] = (*told[-1], (key if parts[-1] else key.strip(), "key"))
        lines.append((("   ", ""), (f"{glyph} ", tone), *told[0]))
        lines += [(("     ", ""), *line) for line in told[1:]]
        shown += 1
    if shown < len(found):
        lines.append(((f"     and {len(found) - shown} more: /warn: lists them", "dim"),))
    return tuple(lines)


def legend_line(view: CampaignView | None, width: int) -> Line:
    """The chosen campaign's statuses with their fills and figures: the legend of its bar."""
    if view is None or not view.total:
        return ()
    line: list[tuple[str, str]] = [("   ", "")]
    room = width - 4
    for fill, label, number in folded(view.members):
        text = f"{label} {count(number)}"
        size = len(text) + 4
        if size > room:
            break
        room -= size
        line += [(fill + " ", "bar"), (text, "dim"), ("  ", "")]
    return tuple(line)


def marked_line(views: Sequence[CampaignView]) -> Line:
    """How many campaigns are marked and what can be done with them."""
    members = sum(view.total for view in views)
    return (
        ("   ● ", "key"),
        (f"{count(len(views))} marked", "strong"),
        (f", {plural(members, 'member')}: ", "dim"),
        ("s", "key"),
        (" synchronize  ", "dim"),
        ("r", "key"),
        (" refresh  ", "dim"),
        ("v", "key"),
        (" verify  ", "dim"),
        ("esc", "key"),
        (" unmarks", "dim"),
    )


def pulse_line(pulse: PulseView | None, now: datetime, width: int) -> Line:
    """Runs under way, what waits and since when, rows written by the hour of the last 24."""
    if pulse is None:
        return ()
    line: list[tuple[str, str]] = [("   ", "")]
    if pulse.running:
        line += [(f"{plural(pulse.running, 'run')} under way", "accent"), (" · ", "faint")]
    if pulse.waiting:
        age = f", the oldest {ago(pulse.oldest, now)}" if pulse.oldest else ""
        line.append((f"{plural(pulse.waiting, 'change')} wait{'s' if pulse.waiting == 1 else ''}{age}", "dim"))
    else:
        line.append(("nothing waits", "dim"))
    line += [(" · ", "faint"), (f"{plural(pulse.rows[-1], 'row')}/h", "dim")]
    room = width - width_of(tuple(line)) - 8
    curve = sparkline(pulse.rows, min(24, room)) if room >= 8 else ""
    if curve:
        line += [("  ", ""), (curve, "bar"), (" 24 h", "dim")]
    return crop_line(line, width)


PANEL_LINES = 25
"""The most that ``detail_lines`` gives."""


def detail_lines(view: CampaignView | None, now: datetime, width: int) -> tuple[Line, ...]:
    """The side panel of very wide terminals: everything about the chosen campaign in words."""
    if view is None:
        return ()
    mailed = (
        ("waiting", count(view.pending)),
        ("editions", count(view.editions)),
        ("sent", count(view.sent)),
        ("delivered", f"{count(view.delivered)}  {percent(view.delivered, view.sent)}"),
        ("opened", f"{count(view.opened)}  {percent(view.opened, view.delivered)}"),
        ("clicked", f"{count(view.clicked)}  {percent(view.clicked, view.delivered)}"),
        ("completed", f"{count(view.completed)}  {percent(view.completed, view.delivered)}"),
        ("bounced", f"{count(view.bounced)}  {percent(view.bounced, view.sent)}"),
        ("opted out", count(view.opted_out)),
    )
    pairs = (
        ("state", f"{view.state}{', auto-sync' if view.campaign.auto_sync else ''}"),
        ("type", view.campaign.type_label or "–"),
        ("members", f"{count(view.total)}, {f'{count(view.active)} active' if view.started else 'not started'}"),
        *(mailed if view.started else ()),
        ("last run", ago(view.last_run, now)),
        ("next run", until(view.next_run, now)),
        ("verified", ago(view.verified, now)),
        ("owner", view.campaign.owner or "–"),
        ("id", view.campaign.id),
    )
    lines: list[Line] = [((crop(view.campaign.name, width), "strong"),), ()]
    lines += [((fit(label, 11), "dim"), (crop(text, width - 11), "")) for label, text in pairs]
    lines += [
        (),
        *[
            ((f"{fill} ", "bar"), (fit(label, width - 12), "dim"), (fit(count(number), 10, "right"), ""))
            for fill, label, number in folded(view.members)
        ],
    ]
    return tuple(lines)


_TEACHES = (
    "This list shows the org's campaigns: members by status, opens, the last and the next run. "
    "It is empty until the org was read."
)


def teaching(loaded: bool, trouble: str, width: int) -> tuple[Line, ...]:
    """What an empty overview says: what would be here, and the key that makes it so; or why nothing can be."""
    if trouble and not loaded:
        return (
            (),
            (("   The store cannot be read, so no campaign is known here.", "strong"),),
            (),
            *(((f"   {part}", ""),) for part in wrap(f"{trouble[0].upper()}{trouble[1:]}.", width - 6)),
            (),
            (("   It is tried again every minute.  ", "dim"), ("5", "key"), (" checks the set-up.", "")),
        )
    if not loaded:
        return ((), (("   Reading the store …", "dim"),))
    return (
        (),
        (("   No campaign is known yet.", "strong"),),
        (),
        *(((f"   {part}", "dim"),) for part in wrap(_TEACHES, width - 6)),
        (),
        (("   ", ""), ("g", "key"), (" reads it from Salesforce (1 call). Nothing is written.", "")),
        (("   ", ""), ("5", "key"), (" checks login, fields and rights if that does not work.", "")),
        (("   ", ""), ("?", "key"), (" shows every key.", "")),
    )


_ALSO = "Also state:closed type:drip last:partial owner:… open<20 ~regex; ! means not."


def nothing_found(text: str, width: int) -> tuple[Line, ...]:
    """What a filter without a hit says."""
    return (
        (),
        (
            ("   No campaign has ", "dim"),
            (f"“{crop(text, width - 44)}”", ""),
            (". ", "dim"),
            ("esc", "key"),
            (" shows all again.", "dim"),
        ),
        *(((f"   {part}", "dim"),) for part in wrap(_ALSO, width - 3)),
    )
