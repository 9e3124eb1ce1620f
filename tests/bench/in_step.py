"""200 campaigns of 10,000 members on both sides and in the state, as after a nightly run, in minutes instead of hours.

New Edition is done by the engine for a lead and a contact in each campaign; the other members are copies of these two
(see ``copies``). That org, service and state agree is not taken for granted: ``World.check`` has the engine's adapters
read a campaign from both sides and land it once more, which must find nothing new, and the verification that follows
the night reads every row of both sides.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from sync.bootstrap import open_shell
from sync.embedded.org.ids import encoder
from sync.embedded.process import EmbeddedServers, start_embedded
from sync.ids import CampaignId
from sync.model import RunKind, RunState
from sync.settings import load_settings
from tests.bench.box import Sandbox
from tests.bench.copies import ROWS, Copy, copy_of, template_email, widen_org, widen_service, widen_state

CAMPAIGNS, MEMBERS = 200, 10_000
_DONE, _STARTED = "world.json", "started.json"

_CONFIG = """
[orgs.bench]
read_only = false
[orgs.bench.salesforce]
instance_url = "{org}"
auth = "token"
[orgs.bench.predictive]
base_url = "{service}"
[orgs.bench.state]
url = "state.db"
"""


@dataclass(slots=True)
class World:
    """The servers' folder, the sandbox as commands see it, the people of all campaigns; ``seconds`` it took."""

    folder: Path
    servers: EmbeddedServers
    box: Sandbox
    copies: list[Copy]
    campaigns: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def member(self, place: int, number: int) -> str:
        """Id of the *number*-th copy in the *place*-th campaign."""
        return encoder("00v")(ROWS + place * len(self.copies) + number)

    def touch_people(self, share: float) -> int:
        """Move the stamps of a share of the people without changing a value; how many."""
        some = self.copies[: int(len(self.copies) * share)]
        now = int(datetime.now(UTC).timestamp())
        with closing(sqlite3.connect(self.folder / "org.sqlite", timeout=60)) as org, org:
            for one in some:
                org.execute(f"UPDATE {one.kind} SET SystemModstamp = ? WHERE Id = ?", (now, one.key))
        return len(some)

    def check(self, place: int) -> None:
        """Read a campaign from both sides and land it once more.

        Raises:
            RuntimeError: the state did not have exactly these rows.
        """
        key = CampaignId(self.campaigns[place])
        with open_shell(load_settings(Path(self.box.config), env={}).org()) as shell:
            parts, members = shell.parts(), shell.store.members
            org = [row for page in parts.org.read_members(key) for row in page]
            service = [row for page in parts.service.read_members(key) for row in page]
            new = members.land_org(org), members.land_service(service), members.count_differing(key)
            whole = len(self.copies) + 2
            if any(new) or len(org) != whole or len(service) != whole:
                raise RuntimeError(f"the state is not what the sides have: {new} of {len(org)} and {len(service)} rows")


@contextmanager
def world(folder: Path, campaigns: int = CAMPAIGNS, members: int = MEMBERS) -> Iterator[World]:
    """Both sides and the state in step; *members* of each campaign, a lead and a contact of them not copied.

    ``BENCH_WORLDS`` names a folder in which prepared worlds are kept from one run to the next.
    """
    copies = [copy_of(number) for number in range(members - 2)]
    ids, seconds = _prepared(folder, campaigns, copies)
    with _serving(folder) as made:
        made.campaigns, made.copies, made.seconds = ids, copies, seconds
        made.check(campaigns // 2)
        yield made


def _prepared(folder: Path, campaigns: int, copies: list[Copy]) -> tuple[list[str], float]:
    """Fill *folder* with a world's databases; ids of its campaigns, and how many seconds preparing it took."""
    kept = os.environ.get("BENCH_WORLDS")
    there = Path(kept) / f"{campaigns}x{len(copies) + 2}" if kept else folder
    if not (there / _DONE).exists():
        began = time.perf_counter()
        ids = _copy_started(there, campaigns)
        old = int((datetime.now(UTC) - timedelta(days=3)).timestamp())
        widen_org(there / "org.sqlite", ids, copies, old)
        widen_service(there / "service.sqlite", ids, copies)
        widen_state(there / "state.db", ids, copies)
        done = {"campaigns": ids, "seconds": time.perf_counter() - began + _started(campaigns)[1]}
        (there / _DONE).write_text(json.dumps(done))
    if there != folder:
        shutil.copytree(there, folder, dirs_exist_ok=True)
    told = json.loads((folder / _DONE).read_text())
    return told["campaigns"], told["seconds"]


def _copy_started(there: Path, campaigns: int) -> list[str]:
    started, _ = _started(campaigns)
    shutil.copytree(started, there, dirs_exist_ok=True)
    ids: list[str] = json.loads((there / _STARTED).read_text())
    return ids


@cache
def _started(campaigns: int) -> tuple[Path, float]:
    """A folder with campaigns of two members that were started, and the seconds it took; made once a run."""
    kept = os.environ.get("BENCH_WORLDS")
    folder = Path(kept) / f"{campaigns}-started" if kept else Path(tempfile.mkdtemp(prefix="bench-started-"))
    if not kept:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    began = time.perf_counter()
    if not (folder / _STARTED).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _serving(folder) as made:
            _start(made, campaigns)
        (folder / _STARTED).write_text(json.dumps(made.campaigns))
    return folder, time.perf_counter() - began


@contextmanager
def _serving(folder: Path) -> Iterator[World]:
    """The servers over what the folder holds, or over a small new org."""
    with start_embedded(
        timeout=600, campaigns=1, members=2, audience_speed=0, data_dir=folder, quota=1_000_000
    ) as servers:
        config = folder / "config.toml"
        config.write_text(_CONFIG.format(org=servers.instance_url, service=servers.service_url))
        secrets = folder / "secrets.toml"
        secrets.touch(0o600)
        secrets.write_text(
            f'[bench.salesforce]\naccess_token = "{servers.access_token}"\n'
            f'[bench.predictive]\ntoken = "{servers.service_token}"\n'
        )
        line = {
            "config": str(config),
            "control_url": servers.control_url,
            "salesforce": {
                "instance_url": servers.instance_url,
                "access_token": servers.access_token,
                "api_version": servers.api_version,
            },
        }
        yield World(folder, servers, Sandbox(line), [])


def _start(made: World, campaigns: int) -> None:
    """Campaigns of two members, started."""
    today = datetime.now(UTC).date()
    seeded = made.box.first_campaign()
    made.box.records([{"op": "update", "object": "Campaign", "id": seeded, "values": {"PAM__Auto_Sync__c": False}}])
    header = {
        "IsActive": True,
        "Type": "Scheduled",
        "Status": "In Progress",
        "StartDate": (today - timedelta(days=5)).isoformat(),
        "EndDate": (today + timedelta(days=30)).isoformat(),
        "PAM__Auto_Sync__c": True,
    }
    ids = made.box.records(
        {"op": "create", "object": "Campaign", "values": header | {"Name": f"Bench {number}"}}
        for number in range(campaigns)
    )
    people = made.box.records(
        {"op": "create", "object": kind, "values": {"FirstName": "T", "Email": template_email(kind), **more}}
        for kind, more in (("Lead", {"LastName": "Lead", "Company": "C"}), ("Contact", {"LastName": "Contact"}))
    )
    made.box.records(
        {"op": "create", "object": "CampaignMember", "values": {"CampaignId": one, link: person, "Status": "Sent"}}
        for one in ids
        for link, person in zip(("LeadId", "ContactId"), people, strict=True)
    )
    made.campaigns = ids
    with open_shell(load_settings(Path(made.box.config), env={}).org()) as shell:
        shell.load_campaigns()
        for one in ids:
            ended = shell.new_edition(one)
            if ended.state is not RunState.DONE:
                raise RuntimeError(f"{one}: {ended.state.value}: {ended.error}")
        for kind in (RunKind.NIGHTLY, RunKind.HOURLY, RunKind.NIGHTLY):
            ended = shell.batch(kind)
        if ended.state is not RunState.NOTHING_TO_DO:
            raise RuntimeError(f"not in step: {ended.state.value}: {ended.error}")
