"""Puts an org together: schema, store, seed or existing rows, sessions, quota, gateway."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sync.clock import Clock
from sync.embedded.org.core import Org
from sync.embedded.org.gateway import Gateway
from sync.embedded.org.ids import DIGITS
from sync.embedded.org.objects_package import org_schema
from sync.embedded.org.quota import Quota
from sync.embedded.org.sessions import Client, Sessions
from sync.embedded.org.state import OrgState
from sync.embedded.org.store import Store
from sync.embedded.seed.load import known_identity, load


@dataclass(frozen=True, slots=True)
class OrgOptions:
    """What a sandbox org is made from. ``path`` None keeps the rows in a temporary place."""

    campaigns: int = 12
    members: int = 60
    seed: int = 1
    quota: int = 100_000
    package: bool = True
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class BuiltOrg:
    """A running org: its parts, a first access token and the client that may ask for more."""

    org: Org
    gateway: Gateway
    client: Client
    access_token: str


def demo_client(seed: int) -> Client:
    """The External Client App and the user of a sandbox: the same secrets for the same seed."""
    source = random.Random(f"client {seed}")  # noqa: S311 - a sandbox's credentials are repeatable by intent
    return Client(
        "3MVG9" + "".join(source.choices(DIGITS, k=80)),
        "".join(source.choices("0123456789ABCDEF", k=64)),
        "5Aep861" + "".join(source.choices(DIGITS, k=80)),
        "".join(source.choices(DIGITS, k=14)),
        "".join(source.choices(DIGITS, k=24)),
    )


def build_org(options: OrgOptions, clock: Clock, *, seeded_at: datetime | None = None) -> BuiltOrg:
    """Open the org of ``options``, seeding it when its file is new."""
    schema = org_schema(package=options.package)
    store = Store(schema, options.path)
    if store.fresh:
        identity = load(
            store, campaigns=options.campaigns, members=options.members, seed=options.seed, now=seeded_at or clock.now()
        )
    else:
        identity = known_identity(store)
    org = Org(schema, store, clock, identity, OrgState())
    client = demo_client(options.seed)
    sessions = Sessions(clock, org.organization_id, options.seed)
    gateway = Gateway(org, Quota(clock, options.quota), sessions, client)
    return BuiltOrg(org, gateway, client, sessions.open())
