"""A state as months of use leave it, written straight into the store: many campaigns, one of them with many members."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sync.model import CampaignType
from sync.settings import load_settings
from sync.store.store import open_store
from tests.store.made import C1, campaign, campaign_id, org, service

KINDS = (CampaignType.ADAPTIVE, CampaignType.SCHEDULED, CampaignType.DRIP)

CONFIG = """\
[orgs.bench]
read_only = false

[orgs.bench.state]
url = "state.db"

[orgs.bench.salesforce]
instance_url = "http://127.0.0.1:1"
auth = "token"

[orgs.bench.predictive]
base_url = "http://127.0.0.1:1"
"""


def make(folder: Path, *, campaigns: int, members: int) -> Path:
    """A configuration in *folder* whose state has them; nothing answers at its addresses, so no figure needs a call."""
    config = folder / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    stamp = datetime.now(UTC)
    many = []
    counts = {}
    for number in range(1, campaigns + 1):
        kind = KINDS[number % 3]
        name = "The big one" if number == 1 else f"Campaign {number:03d} of the bench"
        many.append(campaign(number, name=name, type=kind, type_label=kind.value.capitalize()))
        total = members if number == 1 else 10 + number
        counts[campaign_id(number)] = {"Sent": total - total // 5, "Responded": total // 5}
    with open_store(load_settings(config, env={}).org(None).state_url) as store:
        store.campaigns.land(many, counts=counts)
        store.members.land_org(replace(org(number), synced=stamp) for number in range(members))
        store.members.land_service(service(number) for number in range(members))
        store.campaigns.recount(C1)
    return config
