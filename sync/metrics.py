"""Campaign metrics: what each means, the org's own figure and Predictive's beside it. Nobody writes them.

Pure. The org derives its figures from member and edition rows, so one that differs from Predictive's says that
activity still waits, or that the org counts something else. Formulas are those of the product's help pages; the API
names are in ``sync.mapping``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ACCOUNTS = "accounts"
"""Kept beside the metrics: accounts that are members themselves. They have no e-mail address and are not synced."""


@dataclass(frozen=True, slots=True)
class MemberFigures:
    """Members of a campaign as Predictive has them: each is counted once, however often it opened or clicked.
    ``delivered`` is the number of mails that were delivered, over all editions; test-sends are in no figure."""

    total: int = 0
    active: int = 0
    opened: int = 0
    clicked: int = 0
    completed: int = 0
    opted_out: int = 0
    delivered: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``share`` figures are percentages; a figure is None where there is nothing to divide by, where the
    org has no such field, or where it was not read yet."""

    key: str
    label: str
    formula: str
    share: bool
    salesforce: float | None
    predictive: float | None

    @property
    def differs(self) -> bool:
        """True when both figures are known and more than a rounding apart."""
        if self.salesforce is None or self.predictive is None:
            return False
        return abs(self.salesforce - self.predictive) > (0.01 if self.share else 0.5)


def _rate(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def metrics_of(org: Mapping[str, float | None], members: MemberFigures | None) -> tuple[Metric, ...]:
    """All metrics; *org* is by mapping name without ``campaign_``, *members* None before New Edition."""
    own: dict[str, float | None] = {}
    if members is not None:
        own = {
            "total_members": members.total,
            "active_members": members.active,
            "inactive_members": members.total - members.active,
            "delivered": members.delivered,
            "click_to_open": _rate(members.clicked, members.opened),
            "completion_to_open": _rate(members.completed, members.opened),
            "opt_out_direct": members.opted_out,
        }
    return tuple(
        Metric(key, label, formula, share, org.get(key), own.get(key)) for key, label, formula, share in METRICS
    )


METRICS: tuple[tuple[str, str, str, bool], ...] = (
    ("total_members", "Total Members", "leads + contacts − converted leads", False),
    ("active_members", "Active Members", "synced members that can be mailed", False),
    ("inactive_members", "Inactive Members", "total − active", False),
    ("delivered", "Delivered Total", "e-mails sent and not bounced, over all editions", False),
    ("click_to_open", "Clicked to Open Rate", "members who clicked ÷ members who opened", True),
    ("completion_to_open", "Completed to Open Rate", "members who completed ÷ members who opened", True),
    ("opt_out_direct", "Opt Out Direct", "members who opted out in this campaign", False),
)
"""Key, label, formula in words, and whether it is a percentage."""
