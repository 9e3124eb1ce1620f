"""The campaign's head, tabs and the rows of each tab as lines.

Pure: detail and members in, lines out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from console.memberquery import MemberQuery
from console.present import (
    NONE,
    Line,
    ago,
    cells,
    count,
    crop,
    crop_line,
    fit,
    folded,
    instant,
    meter,
    percent,
    since,
    sparkline,
    spread,
    status_bar,
    width_of,
    wrap,
)
from console.screens.charts_view import curve_of
from sync.model import ClickThrough, Edition, HistoryHour, Statistics
from sync.views import CampaignDetail, CampaignView, MemberView
from sync.words import plural

TABS = ("overview", "members", "editions", "clicks", "history", "metrics", "runs")


def title_line(view: CampaignView | None, now: datetime, width: int) -> Line:
    """Name, what it is, and whether both sides were proved equal."""
    if view is None:
        return (("   reading …", "dim"),)
    campaign = view.campaign
    kind = campaign.type.value if campaign.type else (campaign.type_label or "no e-mail type")
    if view.locked:
        right = [("■ ", "trouble"), ("locked ", "strong")]
    elif view.running:
        right = [("◐ ", "accent"), ("a run is live ", "")]
    elif view.verified:
        right = [("✔ ", "good"), (f"verified {since(view.verified, now)} ", "dim")]
    else:
        right = [("never verified ", "dim")] if view.started else [("not started ", "dim")]
    # The name comes first: what it is gives way where both do not fit.
    room = width - 6 - width_of(tuple(right))
    ways = [kind, f"{kind} · {view.state}"] + [f"{kind} · {view.state} · auto-sync"] * campaign.auto_sync
    wanted = min(24, cells(campaign.name))
    about = next((f"  {way}" for way in reversed(ways) if wanted + 2 + cells(way) <= room), "")
    name = crop(campaign.name, max(8, room - cells(about)))
    return spread([("   ", ""), (name, "strong"), (about, "dim")], right, width)


def tab_line(tab: str, detail: CampaignDetail | None, members: int | None, width: int) -> Line:
    """The tabs with how much is in each; narrow terminals lose the figures, then the blanks."""
    numbers: dict[str, int | None] = {"members": members}
    if detail is not None:
        numbers |= {"editions": len(detail.editions), "clicks": len(detail.click_throughs), "runs": len(detail.runs)}
    line: list[tuple[str, str]] = [("   ", "")]
    for name in TABS:
        number = numbers.get(name)
        words = name.capitalize() + (f" {count(number)}" if number is not None else "")
        line += [(words, "tab" if name == tab else "dim"), ("   " if width >= 100 else "  ", "")]
    if width_of(tuple(line)) > width:
        plain = [(name.capitalize(), "tab" if name == tab else "dim") for name in TABS]
        line = [("   ", ""), *(span for each in plain for span in (each, (" ", "")))]
    return crop_line(line, width)


# ---------------------------------------------------------------- editions


def over_time(history: Sequence[HistoryHour], edition: Edition, width: int) -> str:
    """E-mails of the edition by day, between the campaign's first and last day of sending."""
    days = sorted({hour.day for hour in history})
    if not days:
        return ""
    by_day: dict[date, int] = defaultdict(int)
    for hour in history:
        if hour.edition_id == edition.id:
            by_day[hour.day] += hour.count
    span = (days[-1] - days[0]).days + 1
    return sparkline([by_day[date.fromordinal(days[0].toordinal() + i)] for i in range(span)], width)


def editions_head(width: int) -> Line:
    """Titles."""
    name = _edition_width(width)
    line = [
        ("   ", ""),
        (fit("Edition", name), "head"),
        (fit("State", 9), "head"),
        (fit("Sent", 8, "right"), "head"),
        (fit("Opened", 8, "right"), "head"),
        (fit("Clicked", 8, "right"), "head"),
        (fit("Done", 7, "right"), "head"),
    ]
    if width >= 100:
        line += [(fit("Bounced", 9, "right"), "head"), (fit("Out", 6, "right"), "head")]
    return (*line, ("  ", ""), (fit("Over time", 9), "head"), *((("  Subject", "head"),) if width >= 116 else ()))


def _edition_width(width: int) -> int:
    return 16 if width < 72 else 18 if width < 100 else 22


def edition_row(edition: Edition, history: Sequence[HistoryHour], width: int) -> Line:
    """One edition; a blocked one says why instead of a curve."""
    stats = edition.stats
    quiet = "" if edition.active else "dim"
    sent = stats.delivered
    line = [
        ("   ", ""),
        (fit(edition.name, _edition_width(width)), quiet),
        (fit(edition.state, 9), "dim"),
        (fit(count(stats.sent or None), 8, "right"), quiet),
        (fit(percent(stats.opened, sent), 8, "right"), quiet),
        (fit(percent(stats.clicked, sent), 8, "right"), quiet),
        (fit(percent(stats.completed, sent), 7, "right"), quiet),
    ]
    if width >= 100:
        line += [
            (fit(percent(stats.bounced, stats.sent), 9, "right"), "dim"),
            (fit(count(stats.opted_out or None), 6, "right"), "dim"),
        ]
    if width < 72:
        return crop_line(line, width)
    curve = over_time(history, edition, 9)
    last = (fit(curve, 9), "accent") if curve else (crop(_why(edition), 12 if width < 116 else 20), "dim")
    line += [("  ", ""), last]
    if width >= 116:
        line += [
            (fit("", 9 - len(last[0])) if curve or len(last[0]) < 9 else "", ""),
            ("  ", ""),
            (edition.subject or "–", "dim"),
        ]
    return crop_line(line, width)


_SHORT = {
    "edition_inactive": "inactive",
    "content_missing": "no content",
    "not_tested": "not tested",
    "address_missing": "no address",
    "campaign_inactive": "campaign off",
    "campaign_not_started": "starts later",
    "campaign_closed": "closed",
    "campaign_ended": "closed",
    "campaign_deleted": "closed",
    "edition_dates_missing": "no dates",
    "edition_not_started": "starts later",
    "edition_ended": "ended",
    "hourly_limit": "hour's limit",
    "outside_hours": "not now",
    "wrong_weekday": "not today",
}
_KEYS = {"not_tested": "  t test-send", "content_missing": "  e subject", "edition_inactive": "  a activates it"}


def _why(edition: Edition) -> str:
    words = [_SHORT.get(blocked.rule, blocked.rule.replace("_", " ")) for blocked in edition.blocked_by]
    return next((word for word in words if word != "inactive"), words[0] if words else "not sent yet")


def edition_lines(edition: Edition | None, view: CampaignView, width: int) -> tuple[Line, ...]:
    """Why the chosen edition does not send, and the campaign's rates as bars."""
    lines: list[Line] = []
    if edition is not None:
        subject = f"“{edition.subject}”" if edition.subject else "no subject"
        lines.append(crop_line((("   ", ""), (edition.name, "strong"), (f"  {subject}", "dim")), width))
        for blocked in edition.blocked_by[:3]:
            key = _KEYS.get(blocked.rule, "")
            if blocked.rule == "content_missing" and edition.subject:
                # What is missing is the HTML, which comes by file.
                key = "  :edition --html"
            text = crop(f"Does not send: {blocked.text}", width - 6 - len(key))
            lines.append((("   ", ""), ("▲ ", "attention"), (text, ""), (key, "key")))
        if not edition.blocked_by and not edition.active:
            lines.append((("   ", ""), ("Does not send: it is not active.", "dim"), ("  a activates it", "key")))
    lines += [(), rates_line(view, width)]
    return tuple(lines)


def rates_line(view: CampaignView, width: int) -> Line:
    """Sent, opened, clicked, bounced as short bars with figures."""
    parts = (
        ("Opened", view.opened, view.delivered),
        ("Clicked", view.clicked, view.delivered),
        ("Done", view.completed, view.delivered),
        ("Bounced", view.bounced, view.sent),
    )
    line: list[tuple[str, str]] = [("   ", "")]
    for label, part, whole in parts:
        size = 0 if width < 76 else 8 if width < 100 else 14
        bar = meter(part / whole if whole else None, size).rstrip()
        line += [(f"{label} ", "dim"), (percent(part, whole), ""), (f" {bar}", "bar"), ("   ", "")]
    return crop_line(line, width)


# ---------------------------------------------------------------- members


def members_head(width: int) -> Line:
    """Titles."""
    name, email = _member_widths(width)
    line = [
        ("   ", ""),
        (fit("Name", name), "head"),
        (" ", ""),
        (fit("E-mail", email), "head"),
        (" ", ""),
        (fit("Status", 12), "head"),
        (fit("Level", 10), "head"),
        (fit("Active", 7), "head"),
    ]
    if width >= 110:
        line += [
            (fit("Opens", 6, "right"), "head"),
            (fit("Clicks", 7, "right"), "head"),
            ("  ", ""),
            (fit("Activity", 10), "head"),
        ]
    if width >= 140:
        line += [(fit("Kind", 9), "head"), (fit("Reason", 14), "head")]
    return tuple(line)


def _member_widths(width: int) -> tuple[int, int]:
    rest = width - 35 - (25 if width >= 110 else 0) - (23 if width >= 140 else 0)
    name = min(30, rest * 45 // 100)
    return name, min(44, rest - name)


def member_row(member: MemberView, now: datetime, width: int) -> Line:
    """One member as both sides have it."""
    name, email = _member_widths(width)
    full = " ".join(part for part in (member.first_name, member.last_name) if part) or "–"
    active = ("✔", "dim") if member.active else ("–", "dim")
    note = "hidden" if member.invisible else ("waits" if member.difference else ("test" if member.test_member else ""))
    line = [
        ("   ", ""),
        (fit(full, name), "" if member.active else "dim"),
        (" ", ""),
        (fit(member.email or "–", email), "dim"),
        (" ", ""),
        (fit(member.status or "–", 12), ""),
        (fit(member.level or "–", 10), "dim"),
        active,
        (" ", ""),
        (fit(note, 5), "attention"),
    ]
    if width >= 110:
        line += [
            (fit(count(member.opens or None), 6, "right"), ""),
            (fit(count(member.clicks or None), 7, "right"), ""),
            ("  ", ""),
            (fit(ago(member.last_activity, now) if member.last_activity else NONE, 10), "dim"),
        ]
    if width >= 140:
        line += [(fit(member.kind, 9), "dim"), (fit(member.reason or "", 14), "dim")]
    return crop_line(line, width)


def member_line(member: MemberView | None, width: int) -> Line:
    """The chosen member in full."""
    if member is None:
        return ()
    parts = [member.kind, member.person_id]
    parts += [f"not mailed: {member.reason}"] if member.reason and not member.active else []
    parts += ["hidden from this user; kept, not mailed"] if member.invisible else []
    parts += [f"waits for a run: {member.difference}"] if member.difference else []
    parts += [f"synced {instant(member.synced)}" if member.synced else "not synced yet"]
    return crop_line((("   ", ""), (" · ".join(parts), "dim")), width)


def members_line(total: int | None, query: MemberQuery) -> Line:
    """How many members the filter gives."""
    if not query or total is None:
        return ()
    return (
        ("   ", ""),
        (plural(total, "member"), "strong"),
        (f": {query.words()}. ", "dim"),
        ("esc", "key"),
        (" shows all.", "dim"),
    )


# ---------------------------------------------------------------- clicks and overview


def clicks_head(width: int) -> Line:
    """Titles."""
    return (
        ("   ", ""),
        (fit("Hits", 8, "right"), "head"),
        ("  ", ""),
        (fit("", 10), ""),
        ("  ", ""),
        (fit("Page", width - 24), "head"),
    )


def click_row(click: ClickThrough, most: int, width: int) -> Line:
    """One page with its share of the most clicked one."""
    done = ("  ✔ completes", "good") if click.completion else ("", "")
    bar = meter(click.hits / most if most else None, 10)
    return crop_line(
        (
            ("   ", ""),
            (fit(count(click.hits), 8, "right"), ""),
            ("  ", ""),
            (bar, "bar"),
            ("  ", ""),
            (crop(click.url, max(10, width - 38)), "dim"),
            done,
        ),
        width,
    )


def overview_lines(
    view: CampaignView, now: datetime, width: int, curve: Sequence[tuple[datetime, Statistics]] = ()
) -> tuple[Line, ...]:
    """The campaign in figures: members by status, e-mails as the service counts them with two weeks as curves."""
    bar = min(50, width - 30)
    lines: list[Line] = [
        (("   Members ", "strong"), (count(view.total), "strong"), ("  ", ""), (status_bar(view.members, bar), "bar"))
    ]
    for fill, label, number in folded(view.members):
        lines.append(
            (
                ("     ", ""),
                (f"{fill} ", "bar"),
                (fit(label, 18), "dim"),
                (fit(count(number), 9, "right"), ""),
                (fit(percent(number, view.total), 8, "right"), "dim"),
            )
        )
    known: Line = (
        ("     active ", "dim"),
        (count(view.active), ""),
        ("   inactive ", "dim"),
        (count(view.inactive), ""),
    )
    waiting: Line = (
        ("not synced yet ", "dim"),
        (count(view.unsynced), ""),
        ("   activity waiting ", "dim"),
        (count(view.pending), ""),
    )
    if not view.started:
        lines.append((("     never started: none of them is in Predictive", "dim"),))
    elif width_of((*known, *waiting)) + 3 <= width:
        lines.append((*known, ("   ", ""), *waiting))
    else:
        lines += [known, (("     ", ""), *waiting)]
    drawn = any(curve_of(curve, name, now, 14) for name in ("sent", "opened", "clicked"))
    heading = ((fit("   E-mails", 50), "strong"), ("last 14 days" if drawn else "", "head"))
    lines += [(), heading]
    for label, part, whole in (
        ("sent", view.sent, None),
        ("delivered", view.delivered, view.sent),
        ("opened", view.opened, view.delivered),
        ("clicked", view.clicked, view.delivered),
        ("completed", view.completed, view.delivered),
        ("bounced", view.bounced, view.sent),
        ("opted out", view.opted_out, view.delivered),
    ):
        share = part / whole if whole else None
        shape = curve_of(curve, label.replace(" ", "_"), now, 14)
        lines.append(
            (
                ("     ", ""),
                (fit(label, 12), "dim"),
                (fit(count(part) if view.started else NONE, 9, "right"), ""),
                (fit(percent(part, whole) if whole else "", 8, "right"), "dim"),
                ("  ", ""),
                (meter(share, 12), "bar"),
                ("  ", ""),
                (shape if drawn else "", "accent"),
            )
        )
    read = f"org read {since(view.read_at, now)}" if view.read_at else "org not read yet"
    lines += [(), (("   ", ""), (f"{view.campaign.id} · owner {view.campaign.owner or NONE} · {read}", "dim"))]
    return tuple(crop_line(line, width) for line in lines)


def unstarted_lines(view: CampaignView, width: int) -> tuple[Line, ...]:
    """A campaign without editions teaches how to start, or what keeps it from that."""
    if view.state == "closed":
        return ((("   This campaign is closed and was never started.", "dim"),),)
    head: tuple[Line, ...] = ((("   No editions yet.", "strong"),), ())
    if view.campaign.type is None:
        named = f"Its type is {view.campaign.type_label}" if view.campaign.type_label else "It has no type"
        about = f"{named}; a campaign that mails is Adaptive, Scheduled or Drip. The type is set in Salesforce."
        return (*head, *(((f"   {part}", ""),) for part in wrap(about, width - 6)))
    first, *more = wrap(
        "New Edition pushes the members to Predictive and makes the edition(s), inactive and empty: "
        "nothing is mailed by it.",
        width - 8,
    )
    return (*head, (("   ", ""), ("n ", "key"), (first, "")), *(((f"     {part}", ""),) for part in more))
