"""Statistics by the hour, members counted once, and the org's own figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sync.clock import ControlledClock
from sync.model import Statistics
from sync.store.store import Store
from tests.store.made import AT, C1, TODAY, campaign, edition, org, service


def test_an_hour_is_kept_when_it_brought_news_and_only_then(store: Store, clock: ControlledClock) -> None:
    store.campaigns.recount(C1)
    for hours, sent in ((0, 10), (1, 10), (2, 25)):
        clock.set(AT + timedelta(hours=hours, minutes=7))
        store.content.land_editions([edition(1, stats=Statistics(sent=sent, delivered=sent - 1), version=hours + 1)])
        store.campaigns.recount(C1)
    found = store.views.detail(C1, today=TODAY)
    assert found is not None
    assert [(at, stats.sent) for at, stats in found.curve] == [(AT, 10), (AT + timedelta(hours=2), 25)]


def test_hours_of_long_ago_are_let_go(store: Store, clock: ControlledClock) -> None:
    for days, sent in ((0, 10), (91, 20)):
        clock.set(AT + timedelta(days=days))
        store.content.land_editions([edition(1, stats=Statistics(sent=sent), version=days + 1)])
        store.campaigns.recount(C1)
    found = store.views.detail(C1, today=TODAY)
    assert found is not None
    assert [stats.sent for _, stats in found.curve] == [20]


def test_the_orgs_own_figures_stand_until_they_are_read_anew(store: Store) -> None:
    store.campaigns.set_started(C1)
    store.members.land_org([org(1), org(2)])
    store.members.land_service([service(1, opens=3, clicks=1), service(2, active=False, reason="Opt Out Direct")])
    store.campaigns.land([replace(campaign(1), metrics=(("total_members", 2.0), ("click_to_open", None)))], counts={})
    store.campaigns.land([campaign(1)])
    found = store.views.detail(C1, today=TODAY)
    assert found is not None
    assert found.metrics_at is not None
    metrics = {metric.key: (metric.salesforce, metric.predictive) for metric in found.metrics}
    assert metrics["total_members"] == (2.0, 2)
    assert metrics["active_members"] == (None, 1)
    assert metrics["click_to_open"] == (None, 100.0)
    assert metrics["opt_out_direct"] == (None, 1)
