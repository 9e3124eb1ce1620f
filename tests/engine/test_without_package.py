"""An org without the package: what its fields would say comes from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.clock import ControlledClock
from sync.embedded.process import start_embedded
from sync.errors import RemoteRejected
from sync.mapping import WITHOUT_PACKAGE
from sync.model import RunKind, RunState
from sync.store.store import Store
from tests.engine.world import World, empty


@pytest.fixture
def plain(state: Store, tmp_path: Path) -> Iterator[World]:
    """A world whose org lacks the package's fields."""
    clock = ControlledClock()
    empty(state, clock)
    with start_embedded(campaigns=1, members=5, audience_speed=0, package="none") as servers:
        yield World(servers, tmp_path, state, clock=clock)


@pytest.mark.slow
def test_configured_test_members_get_the_test_mail(plain: World) -> None:
    campaign = plain.campaign(3, auto_sync=None)
    lead, late = plain.records(
        *(
            {
                "op": "create",
                "object": "Lead",
                "values": {"FirstName": "Tess", "LastName": name, "Company": "Tests", "Email": f"{name}@example.org"},
            }
            for name in ("lead", "late")
        )
    )
    (contact,) = plain.records(
        {
            "op": "create",
            "object": "Contact",
            "values": {"FirstName": "Tom", "LastName": "contact", "Email": "contact@example.org"},
        }
    )
    setup = {"mapping": WITHOUT_PACKAGE, "auto_sync": (campaign.id,)}
    with plain.shell(**setup) as shell:
        made = shell.new_edition(campaign.id)
        assert (made.exit_code, made.predicted) == (0, made.calls), "no edition gets an id of the org to be told of"
        shell.edit_edition(campaign.id, "1", {"subject": "Hello", "html": "<p>x</p>"})
        with pytest.raises(RemoteRejected):
            shell.test_send(campaign.id, "1")
    with plain.shell(**setup, test_members=(lead, contact)) as shell:
        before = plain.org_calls()
        result = shell.sync([campaign.id])
        assert (result.state, result.counts.test_members, plain.org_calls() - before) == (RunState.DONE, 2, 1)
        _, addresses, _ = shell.test_send(campaign.id, "1")
        assert set(addresses) == {"lead@example.org", "contact@example.org"}
        assert shell.sync([campaign.id]).state is RunState.NOTHING_TO_DO
    with plain.shell(**setup, test_members=(lead, contact, late)) as shell:
        night = shell.batch(RunKind.NIGHTLY)
        assert (night.state, night.calls.salesforce, night.exit_code) == (RunState.DONE, 1, 0)
        assert "late@example.org" in shell.test_send(campaign.id, "1")[1]
    with plain.shell(**setup, test_members=(lead,)) as shell:
        assert "canary" in {verdict.rule for verdict in shell.make_plan([campaign.id]).refused}
