"""The plan as prose: an outline of sides, changes and rows, and each of them as a line.

Pure: plan, groups and rows in, lines out. A removal never looks like an addition; both sides are told apart by arrows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.present import (
    Line,
    cells,
    count,
    crop,
    crop_line,
    fit,
    hhmm,
    lasting,
    percent,
    spread,
    width_of,
    wrap,
)
from sync.model import Side
from sync.plan import REMOVALS, Change, GuardVerdict, Plan, PlanRow, Scalar
from sync.views import LimitsView
from sync.words import plural

GroupKey = tuple[Side, Change]

ARROWS = {Side.PREDICTIVE: "→ Predictive", Side.SALESFORCE: "→ Salesforce"}
_WORDS: dict[Change, tuple[str, str, str]] = {
    Change.ADD: ("+", "member added", "members added"),
    Change.REMOVE: ("−", "member removed", "members removed"),
    Change.ORPHAN: ("−", "orphan, out unless you take it in", "orphans, out unless you take them in"),
    Change.NAME: ("~", "name changed", "names changed"),
    Change.EMAIL: ("~", "e-mail address changed", "e-mail addresses changed"),
    Change.STATUS: ("~", "status changed", "statuses changed"),
    Change.OPT_OUT: ("~", "opt-out", "opt-outs"),
    Change.OPT_IN: ("~", "opt-in", "opt-ins"),
    Change.TEST_FLAG: ("~", "test member flag", "test member flags"),
    Change.IDENTITY: ("~", "member converted or merged", "members converted or merged"),
    Change.HOLD: ("~", "member held or released", "members held or released"),
    Change.HEADER: ("~", "campaign header", "campaign headers"),
    Change.TEST_PEOPLE: ("~", "list of test members", "lists of test members"),
    Change.MARKER: ("~", "member: active, synced", "members: active, synced"),
    Change.LEVEL: ("~", "level risen", "levels risen"),
    Change.REASON: ("~", "reason", "reasons"),
    Change.COUNTERS: ("~", "member's counts", "members' counts"),
    Change.EDITION: ("~", "edition", "editions"),
    Change.CLICK_THROUGH: ("~", "click-through", "click-throughs"),
    Change.HISTORY: ("+", "hour of e-mail history", "hours of e-mail history"),
    Change.LOCK: ("~", "lock-out", "lock-outs"),
    Change.TEST_SEND: ("+", "test send", "test sends"),
}
_TONES = {"+": "good", "−": "trouble", "~": "accent"}
_RULES = {
    "deletes": "deletes",
    "side-empty": "empty side",
    "empty-side": "empty side",
    "changed": "all changed",
    "everything-changed": "all changed",
    "blanked": "blanked",
    "flood": "flood",
    "canary": "canary",
    "incomplete": "complete read",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one change on one side; ``out`` of them were taken out of the plan."""

    side: Side
    change: Change
    rows: int
    out: int = 0

    @property
    def key(self) -> GroupKey:
        """What names it."""
        return self.side, self.change


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the outline: a side (``change`` None), a group (``offset`` None), or a row of a group."""

    side: Side
    change: Change | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """Sides, their groups in order, and which of them are open."""

    groups: tuple[Group, ...] = ()
    opened: frozenset[GroupKey] = frozenset()

    def _runs(self) -> list[tuple[Item, int]]:
        """Items that stand for a run of lines: the item and how many lines it covers."""
        runs: list[tuple[Item, int]] = []
        order = list(Change)
        for side in (Side.PREDICTIVE, Side.SALESFORCE):
            own = sorted((g for g in self.groups if g.side is side), key=lambda g: order.index(g.change))
            if own:
                runs.append((Item(side), 1))
            for group in own:
                runs.append((Item(side, group.change), 1))
                if group.key in self.opened:
                    runs.append((Item(side, group.change, 0), group.rows))
        return runs

    @property
    def length(self) -> int:
        """Lines in all."""
        return sum(size for _, size in self._runs())

    def at(self, index: int) -> Item | None:
        """What stands on a line."""
        for item, size in self._runs():
            if index < size:
                return Item(item.side, item.change, index) if item.offset is not None else item
            index -= size
        return None

    def where(self, key: GroupKey) -> int:
        """The line of a group; 0 when it has none."""
        line = 0
        for item, size in self._runs():
            if (item.side, item.change) == key and item.offset is None:
                return line
            line += size
        return 0

    def spans(self, first: int, last: int) -> list[tuple[GroupKey, int, int]]:
        """Groups whose rows stand between two lines, with the first and last row wanted."""
        found: list[tuple[GroupKey, int, int]] = []
        line = 0
        for item, size in self._runs():
            if item.offset is not None and item.change is not None and line <= last and line + size > first:
                found.append(((item.side, item.change), max(0, first - line), min(size - 1, last - line)))
            line += size
        return found

    def group(self, key: GroupKey) -> Group | None:
        """The group of this key."""
        return next((group for group in self.groups if group.key == key), None)


def cost_line(plan: Plan, left: int, limits: LimitsView | None, width: int) -> Line:
    """How much, how many calls, how long, and which part of what is left today."""
    calls = plan.cost.predicted.salesforce
    bound = f" (lower bound {count(plan.cost.lower_bound.salesforce)})" if width >= 76 else ""
    parts = [plural(left, "change"), f"{plural(calls, 'call')}{bound}"]
    parts.append(f"about {lasting(plan.cost.seconds)}")
    if limits is not None and limits.used is not None and limits.limit:
        share = percent(calls, max(1, limits.limit - limits.used), 2)
        parts.append(f"{share} of what is left{' today' if width >= 88 else ''}")
    return crop_line((("   ", ""), (parts[0], "strong"), (" · " + " · ".join(parts[1:]), "dim")), width)


def skipped_line(plan: Plan, width: int) -> Line:
    """Campaigns that the plan leaves out, with the first one's reason."""
    skipped = [part for part in plan.campaigns if part.skipped]
    first = f"{skipped[0].name}: {skipped[0].skipped}"
    text = first if len(skipped) == 1 else f"{plural(len(skipped), 'campaign')} left out; {first}"
    return crop_line((("   ", ""), ("▲ ", "attention"), (text, "")), width)


def title_line(title: str, does: str, plan: Plan | None, now: datetime, width: int) -> Line:
    """Campaign, what the plan does, and when it was made; an old one says what that means."""
    left = [("   ", ""), (title, "strong"), (f" › {does}", "dim")]
    if plan is None:
        return spread(left, [("reading both sides ", "dim")], width)
    old = (now - plan.made_at).total_seconds() > 60
    how = " " if width < 76 else ", read again as it is applied " if old else " from live data "
    made = f"made {hhmm(plan.made_at)}{how}"
    return spread(left, [(made, "dim")], width)


def guard_line(verdicts: tuple[GuardVerdict, ...], width: int) -> Line:
    """Every guard with its verdict."""
    line: list[tuple[str, str]] = [("   ", ""), ("Guards ", "dim")]
    for verdict in verdicts:
        if not verdict.passed:
            word = _RULES.get(verdict.rule, verdict.rule)
            line += [(" ▲ ", "attention"), (f"{word} refuses: ", "strong"), (verdict.text, "")]
            return crop_line(line, width)
    passed = dict.fromkeys(_RULES.get(verdict.rule, verdict.rule) for verdict in verdicts)
    words = ", ".join(passed) or "none objects"
    if width_of(tuple(line)) + 3 + cells(words) > width:
        words = f"all {len(passed)} let it pass"
    line += [(" ✔ ", "good"), (words, "dim")]
    return crop_line(line, width)


def cannot_lines(plan: Plan, width: int, most: int = 3) -> tuple[Line, ...]:
    """What of the run cannot be undone, first of all."""
    if not plan.cannot:
        return ()
    lines: list[Line] = [(("   ", ""), ("▲ ", "attention"), ("What cannot be undone", "strong"))]
    shown = plan.cannot if len(plan.cannot) <= most else plan.cannot[: most - 1]
    lines += [crop_line((("     ", ""), (text, "")), width) for text in shown]
    if len(shown) < len(plan.cannot):
        lines.append(((f"     and {len(plan.cannot) - len(shown)} more", "dim"),))
    return tuple(lines)


def conflict_line(plan: Plan, width: int) -> Line:
    """How many conflicts, and who wins."""
    number = plan.counts.conflicts
    text = f"{plural(number, 'conflict')}: the status changed on both sides, Salesforce wins"
    return crop_line((("   ", ""), ("▲ ", "attention"), (text, "")), width)


def said(value: Scalar) -> str:
    """A value as people write it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text[:16].replace("T", " ") if len(text) > 18 and text[10:11] == "T" and text[4:5] == "-" else text


def split_label(label: str) -> tuple[str, str]:
    """Name and e-mail of ``Name <e-mail>``."""
    if label.endswith(">") and " <" in label:
        name, _, email = label[:-1].rpartition(" <")
        return name, email
    return label, ""


def side_row(side: Side, groups: tuple[Group, ...], width: int) -> Line:
    """A side with its number of changes."""
    kept = sum(group.rows - group.out for group in groups if group.side is side)
    return spread([("   ", ""), (ARROWS[side], "strong")], [(count(kept), "strong"), ("  ", "")], width)


def group_row(group: Group, opened: bool, note: str, width: int) -> Line:
    """A group: sign, count, what it is, a note, and whether enter shows or hides it."""
    sign, one, many = _WORDS[group.change]
    kept = group.rows - group.out
    tone = _TONES[sign] if kept else "faint"
    words = f"{count(kept)} {one if kept == 1 else many}"
    left: list[tuple[str, str]] = [("     ", ""), (sign + " ", tone), (words, "" if kept else "gone")]
    if group.out:
        left.append((f"   {count(group.out)} left out", "attention"))
    elif note:
        left.append((f"   {note}", "dim"))
    return spread(left, [("▾ hide  " if opened else "▸ show  ", "faint")], width)


def change_words(row: PlanRow) -> list[tuple[str, str]]:
    """From what to what; whole members and rows have none."""
    if row.change in (
        Change.ADD,
        Change.REMOVE,
        Change.ORPHAN,
        Change.EDITION,
        Change.CLICK_THROUGH,
        Change.HISTORY,
    ) and row.field in (
        "member",
        "edition",
        "click_through",
        "history",
    ):
        return []
    arrow = " ⇢ " if row.on_arrival else " → "
    return [(said(row.before), "dim"), (arrow, "faint"), (said(row.after), "")]


def row_line(row: PlanRow, out: bool, width: int) -> Line:
    """One write. Narrow: who and from what to what; wide: also field, reason and rule."""
    name, email = split_label(row.label)
    tone, quiet = ("gone", "gone") if out else ("", "dim")
    sign = "✕ " if out else ("▲ " if row.conflict else "  ")
    wide = width >= 110
    name_width = 26 if wide else 22 if width >= 76 else 18
    line: list[tuple[str, str]] = [("       ", ""), (sign, "attention"), (fit(name, name_width), tone), (" ", "")]
    change = [(text, "gone" if out else how) for text, how in change_words(row)]
    if not wide:
        room = width - 10 - name_width
        if width < 76:
            # Who is added or removed is told by the address, what is changed by its values; the rest is beneath.
            return crop_line([*line, *(change or [(email or row.reason, quiet)])], width - 1)
        if change and row.change is not Change.EMAIL and email:
            line += [(fit(email, 22), quiet), (" ", "")]
        elif not change and email:
            line += [(fit(email, min(24, room)), quiet), (" ", "")]
        return crop_line([*line, *(change or [(row.reason, quiet)])], width - 1)
    address = 28 if width < 150 else 40
    rule = 18 if width >= 150 else 0
    reason = 34 if width >= 132 else 26
    room = width - 12 - name_width - address - reason - rule
    if not change:
        # Without values there is room for the whole address.
        wider = max(0, min(12, room + reason - 50))
        address, room = address + wider, room - wider
    line += [(fit(email, address), quiet), (" ", "")]
    if change:
        words = crop_line([(f"{row.field} ", quiet), *change], room - 1)
        line += [*words, (" " * (room - width_of(words)), ""), (fit(row.reason, reason - 1), quiet)]
    else:
        line.append((fit(row.reason, room + reason - 1), quiet))
    if rule:
        line += [(" ", ""), (fit(row.rule, rule - 1), "faint")]
    return crop_line(line, width)


def detail_lines(row: PlanRow | None, group: Group | None, out: bool, width: int, where: str = "") -> tuple[Line, ...]:
    """Two lines about what is under the cursor: who, what, why, and by which rule."""
    if row is not None:
        what = "".join(text for text, _ in change_words(row))
        first: list[tuple[str, str]] = [("   ", ""), (row.label, "strong")]
        if what:
            first += [("  ", ""), (f"{row.field}: ", "dim"), (what, "")]
        why = f"{row.reason} · rule {row.rule}" + (" · the service decides it in this run" if row.on_arrival else "")
        second = [("   ", ""), ("left out · " if out else "", "attention"), (f"{where} · " if where else "", "")]
        second.append((why, "dim"))
        return (crop_line(first, width), crop_line(second, width))
    if group is not None:
        words = "space puts them back" if group.out == group.rows else "space leaves all of them out"
        return ((("   ", ""), (f"{plural(group.rows, 'row')} {ARROWS[group.side]}", "dim"), (f" · {words}", "dim")), ())
    return ((), ())


def nothing_lines(plan: Plan | None, text: str, width: int) -> tuple[Line, ...]:
    """What an empty plan says."""
    if plan is None:
        return ((("   Both sides are being read; nothing is written. ", "dim"), ("esc", "key"), (" leaves.", "dim")),)
    if text:
        return (
            (("   No row has ", "dim"), (f"“{text}”", ""), (". ", "dim"), ("esc", "key"), (" shows all again.", "dim")),
        )
    skipped = [part for part in plan.campaigns if part.skipped]
    if skipped:
        return tuple(
            (("   ▲ ", "attention"), (crop(f"{part.name}: {part.skipped}", width - 6), "")) for part in skipped
        )
    return (
        (
            ("   ✔ ", "good"),
            ("Nothing to do: both sides agree", "strong"),
            (f" about {plural(plan.counts.unchanged, 'member')}.", ""),
        ),
        (("   Activity that waits for the hourly run is not a difference. ", "dim"), ("esc", "key"), (" back", "dim")),
    )


def apply_lines(plan: Plan, groups: tuple[Group, ...], without_deletes: bool) -> tuple[str, ...]:
    """What the last question says: how much goes where, and the removals by number."""
    lines = []
    removed = sum(g.rows - g.out for g in groups if g.change in REMOVALS)
    for side in (Side.PREDICTIVE, Side.SALESFORCE):
        rows = sum(g.rows - g.out for g in groups if g.side is side)
        if side is Side.PREDICTIVE and without_deletes:
            rows -= removed
        if rows:
            lines.append(f"{ARROWS[side]}: {plural(rows, 'change')}")
    if removed:
        be, stay, they, their = ("is", "stays", "it", "its") if removed == 1 else ("are", "stay", "them", "their")
        kept = (
            f"{plural(removed, 'member')} {stay}, although Salesforce removed {they}."
            if without_deletes
            else f"{plural(removed, 'member')} {be} removed in Predictive; {their} send history is kept."
        )
        lines.append(kept)
    cost, made = plan.cost, plan.cost.spent.salesforce
    more, most = max(0, cost.predicted.salesforce - made), max(0, cost.maximum.salesforce - made)
    read = f" ({count(made)} made)" if made else ""
    lines.append(f"{plural(more, 'more call')}{read}, at most {count(most)}, in about {lasting(cost.seconds)}.")
    return tuple(lines)


def reason_lines(verdicts: tuple[GuardVerdict, ...], width: int) -> tuple[str, ...]:
    """Refusing guards in words."""
    return tuple(line for verdict in verdicts if not verdict.passed for line in wrap(verdict.text, width))
