"""Puts an org together: schema, store, seed or existing rows, sessions, quota, gateway."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from sync.embedded.seed.export_schema import learned
from sync.embedded.seed.exported import read_export
from sync.embedded.seed.load import known_identity, load
from sync.embedded.seed.load_export import load_export


@dataclass(frozen=True, slots=True)
class OrgOptions:
    """What a sandbox org is made from.

    ``path`` None keeps the rows in a temporary place. ``load`` is a directory of exported records that a fresh org
    is filled with, instead of made-up ones.
    """

    campaigns: int = 12
    members: int = 60
    seed: int = 1
    quota: int = 100_000
    package: bool = True
    path: Path | None = None
    load: Path | None = None


@dataclass(frozen=True, slots=True)
class BuiltOrg:
    """A running org: its parts, a first access token and the client that may ask for more.

    ``loaded`` are the numbers of records that were loaded, by object.
    """

    org: Org
    gateway: Gateway
    client: Client
    access_token: str = field(repr=False)
    loaded: Mapping[str, int] = field(default_factory=dict)


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
    """Open the org of ``options``, filling it when its file is new. Raises ExportError for what cannot be loaded."""
    records = read_export(options.load) if options.load is not None else []
    schema = learned(org_schema(package=options.package), records)
    store = Store(schema, options.path)
    loaded: dict[str, int] = {}
    if store.fresh and options.load is not None:
        identity, loaded = load_export(store, records, now=seeded_at or clock.now())
    elif store.fresh:
        identity = load(
            store, campaigns=options.campaigns, members=options.members, seed=options.seed, now=seeded_at or clock.now()
        )
    else:
        identity = known_identity(store)
    org = Org(schema, store, clock, identity, OrgState())
    client = demo_client(options.seed)
    sessions = Sessions(clock, org.organization_id, options.seed)
    gateway = Gateway(org, Quota(clock, options.quota), sessions, client)
    return BuiltOrg(org, gateway, client, sessions.open(), loaded)
