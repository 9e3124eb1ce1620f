"""Commands that look: campaigns, members, editions, runs, limits, schedule. They write to neither side.

What the org or the service owns is read afresh, as cheaply as the shell can; runs and timers come from the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from console.cli import wire
from console.cli.editions import load
from console.cli.prose import columns, instant, number, safe, state
from console.report import counted
from sync.board import group_failures
from sync.errors import UsageError
from sync.ids import RunId
from sync.words import plural

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.views import FailureGroup, RunView, Spending

WINDOW = 500
SPENDERS_SHOWN = 5
"""Spenders of each group that people see; ``--json`` gives all."""
FAILED_SHOWN = 8
"""Failed rows of each type that people see; ``--json`` gives all."""


def campaigns(invocation: Invocation) -> int:
    """All campaigns with their figures."""
    views = invocation.shell().load_campaigns()
    by_id = {view.campaign.id: view for view in views}

    def cells(line: wire.Line) -> list[object]:
        view = by_id[line["id"]]
        last = f"{state(view.last_state.value)} {instant(view.last_run)}" if view.last_state else "never"
        notes = [view.locked and f"⚿ locked: {view.locked}", view.paused and f"⏸ paused: {view.paused}"]
        if view.broken:
            notes.append(f"≠ {plural(view.differences, 'difference')} found {instant(view.broken)}")
        notes += [f"▲ {item.text}" for item in view.warnings]
        return [
            view.campaign.name,
            line["type"] or view.campaign.type_label,
            view.state,
            "auto" if view.campaign.auto_sync else "",
            number(view.total),
            number(view.active if view.started else None),
            number(view.editions),
            number(view.sent),
            number(view.opened),
            number(view.clicked),
            last,
            view.campaign.id,
            " ".join(note for note in notes if note),
        ]

    headings = ["Campaign", "Type", "State", "Sync", "Members>", "Active>", "Editions>", "Sent>", "Opened>", "Clicked>",
                "Last run", "Id", ""]  # fmt: skip
    invocation.report.items(
        map(wire.campaign, views), headings, cells, empty="The org has no campaigns that this user can see."
    )
    return 0


def members(invocation: Invocation) -> int:
    """A campaign's members as both sides have them."""
    shell, options = invocation.shell(), invocation.options
    campaign = shell.resolve(options.campaign)
    shell.load_members(campaign.id)

    def rows() -> Iterator[wire.Line]:
        offset = 0
        while True:
            page = shell.members(
                campaign.id, text=options.text or "", status=options.status, level=options.level, offset=offset,
                limit=WINDOW,
            )  # fmt: skip
            yield from map(wire.member, page)
            offset += len(page)
            if len(page) < WINDOW:
                return

    headings = ["Name", "E-mail", "Kind", "Status", "Level", "Reason", "Active", "Test", "Synced", "Member", "Waits"]
    invocation.report.items(
        rows(),
        headings,
        lambda line: [
            " ".join(part for part in (line["first_name"], line["last_name"]) if part) or None,
            line["email"],
            line["kind"],
            line["status"],
            line["level"],
            line["reason"],
            "yes" if line["active"] else "no",
            "test" if line["test_member"] else "",
            (line["synced"] or "–")[:16].replace("T", " "),
            line["member_id"],
            "invisible" if line["invisible"] else line["difference"],
        ],
        empty=f"{campaign.name} has no such members. In Salesforce, add leads or contacts to the campaign.",
    )
    return 0


def editions(invocation: Invocation) -> int:
    """A campaign's editions, with what keeps each from sending."""
    shell = invocation.shell()
    campaign = shell.resolve(invocation.options.campaign)
    listed = load(shell, campaign.id)
    invocation.report.items(
        map(wire.edition, listed),
        [
            "#>",
            "Edition",
            "State",
            "Subject",
            "Sent>",
            "Delivered>",
            "Opened>",
            "Clicked>",
            "Done>",
            "Id",
            "Does not send",
        ],
        lambda line: [
            line["slot"],
            line["name"],
            line["state"],
            line["subject"],
            number(line["sent"]),
            number(line["delivered"]),
            number(line["opened"]),
            number(line["clicked"]),
            number(line["completed"]),
            line["id"],
            "; ".join(item["text"] for item in line["blocked_by"]),
        ],
        empty=f"{campaign.name} has no editions. predictive new-edition makes them.",
    )
    return 0


def runs(invocation: Invocation) -> int:
    """The newest runs, or one run with its failed rows."""
    shell, wanted = invocation.shell(), invocation.options.run
    if wanted is not None:
        return _one_run(invocation, wanted)
    listed = shell.runs()
    by_id = {view.run: view for view in listed}
    invocation.report.items(
        map(wire.run, listed),
        ["Run", "Kind", "Campaign", "State", "Started", "Calls>", "What"],
        lambda line: _run_cells(by_id[line["run"]]),
        empty="No runs yet. predictive sync CAMPAIGN makes one.",
    )
    return 0


def _run_cells(view: RunView) -> list[object]:
    kind = f"{view.kind.value} (simulated)" if view.simulated else view.kind.value
    return [
        view.run,
        kind,
        view.campaign_name or "all",
        state(view.state.value) + (" ⏸ held" if view.paused else ", stopping" if view.stopping else ""),
        instant(view.started),
        number(view.calls.salesforce),
        view.error or counted(view.counts, simulated=view.simulated, kind=view.kind),
    ]


def _one_run(invocation: Invocation, wanted: str) -> int:
    shell = invocation.shell()
    try:
        view = shell.run(RunId(wanted))
    except KeyError:
        raise UsageError(f"no run has the id {wanted!r}", remedy="predictive runs lists them") from None
    failed = shell.failed_rows(view.run)
    groups = group_failures(failed)
    text = [
        f"{view.run}  {view.kind.value}  {state(view.state.value)}",
        f"{view.campaign_name or 'all campaigns'}, {instant(view.started)} to {instant(view.ended)} UTC",
        f"by {view.by}",
        counted(view.counts, simulated=view.simulated, kind=view.kind),
        _calls_of(view),
        *([view.error] if view.error else []),
        *([f"undoes run {view.undoes}"] if view.undoes else []),
        *([f"undone by run {view.undone_by}"] if view.undone_by else []),
        *([f"⏸ held since {instant(view.paused)} UTC; predictive runs resume {view.run}"] if view.paused else []),
        *_failures(groups),
    ]
    value = {
        **wire.run(view),
        "failures": [wire.failures(group) for group in groups],
        "failed_rows": [wire.plain(row) for row in failed],
    }
    invocation.report.lines(text, value)
    return 0


def _calls_of(view: RunView) -> str:
    if view.parent is not None and not view.calls.salesforce:
        return f"a part of run {view.parent}, with which its API calls are counted"
    return f"{plural(view.calls.salesforce, 'API call')}, predicted {number(view.predicted.salesforce)}"


def _failures(groups: Sequence[FailureGroup]) -> Iterator[str]:
    """Failed rows by what went wrong, a few of each by name."""
    for group in groups:
        yield f"✖ {plural(group.count, 'row')}: {group.cause} ({group.code}). {group.remedy}".rstrip()
        for row in group.rows[:FAILED_SHOWN]:
            yield f"    {row.seq}  {safe(row.label)}  {row.field}  {safe(row.message)}".rstrip()
        if group.count > FAILED_SHOWN:
            yield f"    … and {number(group.count - FAILED_SHOWN)} more; --json gives all"


def limits(invocation: Invocation) -> int:
    """The API meter, who spends, and what is wasted."""
    shell = invocation.shell()
    view = shell.load_limits()
    spent = shell.spending()
    reached = f"; at this rate the limit is reached {instant(view.reached_at)} UTC" if view.reached_at else ""
    text = [
        f"used     {number(view.used)} of {number(view.limit)} in 24 hours, as the org said {instant(view.at)} UTC",
        f"ours     {number(view.ours)} in {plural(view.window, 'hour')}, {number(view.reserved)} reserved by live runs",
        f"others   {number(view.others)}",
        f"governor {view.gear}: " + ", ".join(f"{name} at {share:.0%}" for name, share in view.thresholds),
        "forecast " + (", ".join(f"{name} {number(value)}" for name, value in view.forecast) or "–") + reached,
        *_spenders(spent),
    ]
    invocation.report.lines(text, {**wire.limits(view), "spending": wire.plain(spent)})
    return 0


def _spenders(spent: Spending) -> Iterator[str]:
    """The top spenders by campaign, run kind and object, then waste."""
    for title, group in (("Campaign", spent.by_campaign), ("Run", spent.by_kind), ("Object", spent.by_object)):
        if group:
            yield ""
            yield from columns([title, "Calls>"], [[one.name, number(one.calls)] for one in group[:SPENDERS_SHOWN]])
            if len(group) > SPENDERS_SHOWN:
                yield f"… and {number(len(group) - SPENDERS_SHOWN)} more: --json"
    if spent.waste:
        yield ""
        rows = [[one.name, number(one.calls), one.text] for one in spent.waste[:SPENDERS_SHOWN]]
        yield from columns(["Waste", "Calls>", "What to do"], rows)


def schedule(invocation: Invocation) -> int:
    """The timers: when each fires next and what it did last; workers that are there, and runs that wait for one."""
    shell = invocation.shell()
    store = shell.store

    def cells(line: wire.Line) -> list[object]:
        if line["type"] == "worker":
            return ["worker", line["owner"], "", f"since {_minute(line['started'])}", ""]
        if line["type"] == "queued":
            does = "in hand" if line["owner"] else "waits for a worker"
            return [line["kind"], does, _minute(line["not_before"]), line["job"], ""]
        does = "off" if not line["enabled"] else "simulates" if line["simulated"] else "runs"
        return [
            line["kind"],
            f"⏸ paused: {line['paused']}" if line["paused"] else does,
            _minute(line["due"]) or "–",
            f"{state(line['last_state'])} {_minute(line['last_due'])}" if line["last_state"] else "never",
            len(line["missed"]),
        ]

    lines = [
        *map(wire.timer, shell.schedule()),
        *map(wire.worker, store.workers.living()),
        *map(wire.queued, store.queue.open()),
    ]
    invocation.report.items(
        lines, ["Timer", "Does", "Next (UTC)", "Last", "Missed>"], cells, empty="No timers are set."
    )
    return 0


def _minute(instant: str | None) -> str:
    return (instant or "")[:16].replace("T", " ")
