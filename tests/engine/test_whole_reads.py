"""A read of all members tells who is missing without a further read of ids, but only when the org's count agrees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from sync.bootstrap import Shell
from sync.ports import Org, Poll, PollScope
from sync.salesforce.client import SalesforceOrg
from sync.salesforce.jobs import Waits
from sync.secrets import Secret
from sync.store.schema import metadata
from tests.engine.world import World


class Losing:
    """The org, whose whole reads lose their last rows."""

    def __init__(self, org: Org, lose: int) -> None:
        self._org, self._lose = org, lose

    def __getattr__(self, name: str) -> Any:
        return getattr(self._org, name)

    def poll(self, scope: PollScope) -> Poll:
        poll = self._org.poll(scope)
        rows = [row for page in poll.pages for row in page]
        kept = tuple(rows[: len(rows) - self._lose] if poll.whole else rows)
        return replace(poll, pages=iter((kept,)), changed=len(kept))


@contextmanager
def by_jobs(world: World, lose: int = 0) -> Iterator[Shell]:
    """A shell that reads by Bulk queries from the fifth row on."""
    with world.shell() as shell:
        parts = shell.parts()
        org: Any = SalesforceOrg(
            shell._transport(world.servers.instance_url, None),
            instance_url=world.servers.instance_url,
            mapping=parts.mapping,
            access_token=Secret(world.servers.access_token),
            bulk_from=5,
            waits=Waits(per_row=0.0, least=0.2),
        )
        shell._parts = replace(parts, org=Losing(org, lose) if lose else org)
        yield shell


@pytest.fixture
def short_pages(world: World) -> Iterator[None]:
    world.servers.control("POST", "/settings", {"page_rows": 5})
    yield
    world.servers.control("POST", "/settings", {"page_rows": 2_000})


@pytest.mark.slow
@pytest.mark.usefixtures("short_pages")
def test_the_echo_of_a_first_sync_also_tells_who_is_missing(world: World) -> None:
    campaign = world.campaign(12)
    with by_jobs(world) as shell:
        shell.new_edition(campaign.id)
        world.delete("CampaignMember", campaign.members[3])
        world.join(campaign, 1)
        result = shell.sync([campaign.id])
    with world.store.database.read() as conn:
        table = metadata.tables["call"]
        asked = list(conn.execute(select(table.c.resource).where(table.c.run_id == result.run)).scalars())
    assert (result.counts.added, result.counts.removed) == (1, 1)
    assert "ids" not in asked
    assert 3 <= asked.count("bulk") <= 4, "create, a poll or two, the results"
    assert set(world.service_members(campaign)) == set(campaign.leads) - {campaign.leads[3]}


@pytest.mark.slow
@pytest.mark.usefixtures("short_pages")
def test_a_whole_read_that_does_not_agree_with_the_count_removes_nobody_by_itself(world: World) -> None:
    campaign = world.campaign(12)
    with by_jobs(world) as shell:
        shell.new_edition(campaign.id)
    with by_jobs(world, lose=2) as shell:
        world.delete("CampaignMember", campaign.members[3])
        result = shell.sync([campaign.id])
    assert result.counts.removed == 1, "the ids were read once more, and said who"
    assert set(world.service_members(campaign)) == set(campaign.leads) - {campaign.leads[3]}
