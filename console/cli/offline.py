"""Both embedded servers with everything around them: a folder, a configuration for exactly them, a plain client.

Used by ``sandbox``, ``demo`` and the tour. The servers are a child process that ends when its standard input closes, so
they never outlive this one; the folder is removed at the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.errors import FatalError, PredictiveError

if TYPE_CHECKING:
    from console.cli.strangers import PlainOrg
    from sync.bootstrap import Shell
    from sync.clock import Clock
    from sync.embedded.process import EmbeddedServers
    from sync.events import Event
    from sync.settings import OrgSettings

ORG = "sandbox"

SEEDED_A_SECOND = 2_000
"""Members that even a slow machine seeds in a second; a sandbox of millions is given the time it needs."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are."""

    instance_url: str
    base_url: str


class Offline:
    """The servers, started in the background at once; ``wait`` until they answer."""

    __slots__ = ("_name", "_package", "_started", "_timers", "config", "folder")

    def __init__(self, *, name: str = ORG, timers: bool = False, **options: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="predictive-"))
        self.config = self.folder / "config.toml"
        self._name = name
        self._package = options.get("package") or "pam"
        self._timers = timers
        self._started: Future[EmbeddedServers] = Future()
        threading.Thread(target=self._start, args=(options,), daemon=True).start()

    def _start(self, options: Mapping[str, Any]) -> None:
        from sync.embedded.process import EmbeddedError, start_embedded

        try:
            rows = (options.get("campaigns") or 12) * (options.get("members") or 60)
            patience = 60.0 + rows / SEEDED_A_SECOND
            servers = start_embedded(timeout=patience, data_dir=self.folder / "servers", **options)
            self._configure(servers)
        except EmbeddedError as error:
            asked = [str(options[name]) for name in ("port", "service_port") if options.get(name)]
            where = f"ports asked for: {', '.join(asked)}" if asked else ""
            self._started.set_exception(FatalError(str(error), where=where, left_undone="nothing was started"))
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
            self._started.set_exception(error)
        else:
            self._started.set_result(servers)

    def servers(self) -> EmbeddedServers:
        """The running child. Raises FatalError when it did not start, e.g. because a port is in use."""
        return self._started.result()

    def wait(self) -> Addresses:
        """Wait until both answer."""
        servers = self.servers()
        return Addresses(servers.instance_url, servers.service_url)

    def ready_line(self) -> dict[str, Any]:
        """What ``predictive sandbox`` prints."""
        ready = self.servers().ready
        return {**ready, "config": str(self.config)}

    def _configure(self, servers: EmbeddedServers) -> None:
        import tomli_w

        org: dict[str, Any] = {
            "read_only": False,
            "state": {"url": f"sqlite:///{self.folder / 'state.db'}"},
            "salesforce": {
                "instance_url": servers.instance_url,
                "api_version": servers.api_version,
                "auth": "client-credentials",
                "client_id": servers.client_id,
            },
            "predictive": {"base_url": servers.service_url},
            "timers": {"enabled": self._timers},
            **(self._without_package(servers) if self._package == "none" else {}),
        }
        secrets = {
            self._name: {
                "salesforce": {"client_secret": servers.client_secret},
                "predictive": {"token": servers.service_token},
            }
        }
        self.config.write_text(tomli_w.dumps({"orgs": {self._name: org}}), encoding="utf-8")
        private = self.folder / "secrets.toml"
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(tomli_w.dumps(secrets))

    def _without_package(self, servers: EmbeddedServers) -> dict[str, Any]:
        """No package's names, and what its fields would say: auto-sync of active campaigns, two test members."""
        from dataclasses import asdict

        from sync.mapping import WITHOUT_PACKAGE

        org = self._client(servers)
        campaigns = org.query("SELECT Id FROM Campaign WHERE IsActive = true ORDER BY CreatedDate, Id")
        people = org.query(
            "SELECT Id FROM Lead WHERE IsConverted = false AND Email != null "
            "AND Id NOT IN (SELECT LeadId FROM CampaignMember) ORDER BY Id LIMIT 2"
        )
        servers.control("POST", "/usage:reset")
        return {
            "auto_sync": [row["Id"] for row in campaigns],
            "test_members": [row["Id"] for row in people],
            "mapping": asdict(WITHOUT_PACKAGE),
        }

    # ------------------------------------------------------------ the engine on these servers

    def settings(self) -> OrgSettings:
        """The configuration, read back as a stranger would read it."""
        from sync.settings import load_settings

        self.wait()
        return load_settings(self.config, env={}, org=self._name).org(self._name)

    def shell(self, *, clock: Clock, on_event: Callable[[Event], None]) -> Shell:
        """The engine on these servers."""
        from sync.bootstrap import open_shell

        return open_shell(self.settings(), clock=clock, on_event=on_event)

    # ------------------------------------------------------------ time and strangers

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the control address; never counted as a call."""
        return self.servers().control(method, path, body)

    def now(self) -> datetime:
        """The servers' time."""
        return datetime.fromisoformat(self.control("GET", "/clock")["now"])

    def advance(self, seconds: float) -> None:
        """Move the servers' time on."""
        self.control("POST", "/clock", {"advance": seconds})

    def org(self) -> PlainOrg:
        """A plain client of the org, for what people do there meanwhile."""
        return self._client(self.servers())

    @staticmethod
    def _client(servers: EmbeddedServers) -> PlainOrg:
        from console.cli.strangers import PlainOrg

        return PlainOrg(servers.instance_url, servers.api_version, servers.access_token)

    def close(self) -> None:
        """Stop the servers and remove the folder, whatever state they are in."""
        try:
            self._started.result().stop()
        except (PredictiveError, OSError):
            # It never started, or is gone already; the folder still goes.
            pass
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
