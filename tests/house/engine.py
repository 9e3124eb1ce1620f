"""An engine for the two sides of a folder: its settings, its state beside theirs, and a shell over a given network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from sync.bootstrap import Shell, ignore
from sync.clock import Clock
from sync.events import Event
from sync.settings import OrgSettings, load_settings
from sync.store.store import Store
from tests.house.sides import ORG_URL, SERVICE_URL, STATE_FILE, TOKEN

_TOML = """
[orgs.t]
read_only = false
[orgs.t.salesforce]
instance_url = "{org}"
auth = "token"
[orgs.t.predictive]
base_url = "{service}"
[orgs.t.state]
url = "{state}"
"""


@functools.cache
def _loaded(folder: Path, access_token: str) -> OrgSettings:
    path = folder / "config.toml"
    path.write_text(_TOML.format(org=ORG_URL, service=SERVICE_URL, state=folder / STATE_FILE))
    env = {"PREDICTIVE_T_SALESFORCE_ACCESS_TOKEN": access_token, "PREDICTIVE_T_PREDICTIVE_TOKEN": TOKEN}
    return load_settings(path, env=env).org()


def settings_for(folder: Path, access_token: str) -> OrgSettings:
    """Settings of an org whose two sides and state live in *folder*."""
    return replace(_loaded(folder, access_token), state_url=str(folder / STATE_FILE))


def open_engine(
    folder: Path,
    access_token: str,
    clock: Clock,
    network: Callable[[], httpx.BaseTransport],
    *,
    store: Store | None = None,
    on_event: Callable[[Event], None] = ignore,
    sleep: Callable[[float], None] | None = None,
) -> Shell:
    """A shell over *network*; waits between attempts move the clock's hands only where *sleep* does."""
    store = store or Store(folder / STATE_FILE, clock=clock)
    wait = sleep or (lambda _seconds: None)
    return Shell(settings_for(folder, access_token), store, clock, on_event, None, network=network, sleep=wait)
