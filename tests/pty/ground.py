"""What a walk stands on: running servers, a configuration of two orgs, campaigns in the states that keys are for."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from sync.ids import CampaignId
from sync.settings import load_settings
from sync.store.store import open_store
from tests.cli.sides import Box, Ended, Row

ORG, SPARE = "sandbox", "spare"


@dataclass(slots=True)
class Ground:
    """A sandbox and a configuration for it that has a second, empty org and may be changed."""

    box: Box
    folder: Path
    _numbers: Any = field(default_factory=itertools.count)

    @classmethod
    def on(cls, box: Box, folder: Path) -> Ground:
        """Write the configuration and its secrets into *folder*."""
        given = Path(box.line["config"])
        config, secrets = (tomllib.loads(path.read_text("utf-8")) for path in (given, given.with_name("secrets.toml")))
        own = config["orgs"][ORG]
        config["orgs"][SPARE] = {**own, "read_only": True, "state": {"url": f"sqlite:///{folder / 'spare.db'}"}}
        secrets[SPARE] = secrets[ORG]
        made = cls(box, folder)
        made.config.write_text(tomli_w.dumps(config), encoding="utf-8")
        kept = folder / "secrets.toml"
        kept.touch(mode=0o600)
        kept.write_text(tomli_w.dumps(secrets), encoding="utf-8")
        return made

    @property
    def config(self) -> Path:
        """The configuration of the walk."""
        return self.folder / "config.toml"

    @property
    def settings(self) -> Row:
        """What the configuration holds for the walked org."""
        found: Row = tomllib.loads(self.config.read_text("utf-8"))["orgs"][ORG]
        return found

    # ------------------------------------------------------------ campaigns

    def fresh(self, members: int = 3) -> Row:
        """A campaign that was never started and that the store does not know."""
        return self.box.new_campaign(members)

    def started(self, members: int = 4) -> Row:
        """A campaign in step on both sides."""
        made = self.box.new_campaign(members)
        assert self.box.run("new-edition", made["Id"]).code == 0
        return made

    def joined(self, campaign: Row, last_name: str = "") -> str:
        """A new lead becomes a member; its id."""
        name = last_name or f"Newman{next(self._numbers)}"
        email = f"{name.lower()}.{campaign['Id'].lower()}@firma.example"
        lead = self.box.create("Lead", LastName=name, Company="New", Email=email)
        self.box.create("CampaignMember", CampaignId=campaign["Id"], LeadId=lead)
        return lead

    def left(self, campaign: Row) -> str:
        """A lead stops to be a member; its id."""
        person, row = sorted(self.box.org_members(campaign["Id"]).items())[0]
        self.box.delete("CampaignMember", row["Id"])
        return person

    def close(self, campaign: Row) -> None:
        """The campaign ends; its auto-sync stays on."""
        self.box.update("Campaign", campaign["Id"], IsActive=False, Status="Completed")

    def lock(self, campaign: Row) -> None:
        """As a critical inconsistency does."""
        with open_store(load_settings(Path(self.box.line["config"]), env={}).org().state_url) as store:
            store.campaigns.lock(CampaignId(campaign["Id"]), "its counts differ", "counts")

    def refusing(self, campaign: Row, rows: int = 2) -> None:
        """The service has statuses of *rows* members that a rule of the org refuses, and an hourly run met it."""
        members = sorted(self.box.org_members(campaign["Id"]).items())[:rows]
        batch = [
            {"op": "upsert", "lead_id": person, "member_id": row["Id"], "fields": {"status": "Responded"}}
            for person, row in members
        ]
        self.box.service("POST", f"/v1/campaigns/{campaign['Id']}/members:batch", {"rows": batch})
        self.box.control("POST", "/rules", {"object": "CampaignMember", "field": "Status", "equals": "Responded"})
        self.says("batch", "hourly", code=4)

    def slow(self, seconds: float, times: int | None = None) -> None:
        """Batches of members to the service take long."""
        fault = {"kind": "latency", "side": "predictive", "match": "members:batch", "seconds": seconds, "times": times}
        self.box.control("POST", "/faults", fault)

    def calm(self) -> None:
        """No fault and no rule of an admin any more."""
        self.box.control("DELETE", "/faults")
        self.box.control("DELETE", "/rules")

    # ------------------------------------------------------------ what the command line says

    def says(self, *words: str, code: int = 0) -> Ended:
        """A command on the walked org, with ``--json``."""
        ended = self.box.run(*words)
        assert ended.code == code, (words, ended.code, ended.talk, ended.out[-800:])
        return ended

    def runs(self, kind: str, campaign: Row | None = None) -> list[Row]:
        """Runs of a kind, newest first, without the parts of batches; with a campaign all of its own."""
        lines = [line for line in self.says("runs").lines if line["type"] == "run" and line["kind"] == kind]
        if campaign is None:
            return [line for line in lines if not line["parent"]]
        return [line for line in lines if line["campaign"] == campaign["Id"]]

    def ids(self, kind: str) -> set[str]:
        """Ids of the runs of a kind."""
        return {line["run"] for line in self.runs(kind)}

    def listed(self, campaign: Row) -> Row:
        """The campaign as the command line lists it."""
        lines = self.says("campaigns").lines
        return next(line for line in lines if line.get("id") == campaign["Id"])
