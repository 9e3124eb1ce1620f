"""Orders of the overview: every column, and first of all what needs a person.

Pure. Names are shown to people and kept in saved views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sync.views import CampaignView


@dataclass(frozen=True, slots=True)
class Order:
    """One order: its letter in the menu, the title of its column, and what it compares; the name breaks ties."""

    name: str
    letter: str
    column: str
    key: Callable[[CampaignView], object]
    text: str = ""


def _rate(part: int, whole: int) -> float:
    return -(part / whole) if whole else 1.0


def _state(view: CampaignView) -> int:
    states = ("active", "planned", "closed")
    return states.index(view.state) if view.state in states else len(states)


def _attention(view: CampaignView) -> tuple[object, ...]:
    return (not (view.warnings or view.locked) and _state(view) == 2, _state(view), -view.total)


def _when(view: CampaignView) -> float:
    return -view.last_run.timestamp() if view.last_run else 0.0


ORDERS: tuple[Order, ...] = (
    Order("attention", "a", "", _attention, "what needs you, then active before closed"),
    Order("name", "c", "Campaign", lambda view: 0),
    Order("type", "t", "Type", lambda view: view.campaign.type_label or "~"),
    Order("members", "m", "Members", lambda view: -view.total, "most first"),
    Order("status", "s", "Status", lambda view: _rate(view.members[0][1] if view.members else 0, view.total),
          "by the share that is still on its first status"),
    Order("open", "o", "Open", lambda view: _rate(view.opened, view.delivered), "highest rate first"),
    Order("last", "l", "Last sync", _when, "newest first"),
    Order("active", "v", "Active", lambda view: -view.active, "most first"),
    Order("inactive", "i", "Inactive", lambda view: -view.inactive, "most first"),
    Order("sent", "e", "Sent", lambda view: -view.sent, "most first"),
    Order("click", "k", "Click", lambda view: _rate(view.clicked, view.delivered), "highest rate first"),
    Order("next", "n", "Next", lambda view: view.next_run.timestamp() if view.next_run else float("inf"),
          "soonest first"),
    Order("editions", "d", "Ed.", lambda view: -view.editions, "most first"),
    Order("owner", "w", "Owner", lambda view: (view.campaign.owner or "~").casefold()),
)  # fmt: skip

BY_NAME = {order.name: order for order in ORDERS}


def ordered(views: Iterable[CampaignView], name: str, *, reverse: bool = False) -> tuple[CampaignView, ...]:
    """*views* in the order called *name* (an unknown one is "attention")."""
    order = BY_NAME.get(name, ORDERS[0])
    return tuple(sorted(views, key=lambda v: (order.key(v), v.campaign.name.casefold()), reverse=reverse))
