"""Starts the embedded servers as a child process and stops them. Standard library only.

The child ends when its standard input closes, so it never outlives the process that holds the handle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any


class EmbeddedError(Exception):
    """The servers did not start, or the control address refused a request."""


@dataclass(slots=True)
class EmbeddedServers:
    """A running child process and where its servers are. Close it with ``stop`` or use it as a context manager.

    ``instance_url`` and the other org fields are empty when only the service runs, and the other way round.
    """

    ready: Mapping[str, Any] = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)
    errors: IO[str] = field(repr=False)
    instance_url: str = ""
    tls_url: str = ""
    ca: str = ""
    api_version: str = ""
    access_token: str = field(default="", repr=False)
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    service_url: str = ""
    service_token: str = field(default="", repr=False)
    control_url: str = ""

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the child is alive."""
        return self.process.poll() is None

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the control address; its JSON answer. Raises EmbeddedError."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - always the loopback address of the child
            self.control_url + path, data=content, method=method, headers={"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise EmbeddedError(f"{method} {path}: {error.read().decode('utf-8', 'replace')}") from None

    def stop(self, timeout: float = 5.0) -> int:
        """End the child: close its input, wait, and kill it only if it stays; its exit code."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()
        return code

    def __enter__(self) -> EmbeddedServers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _command(options: Mapping[str, Any]) -> list[str]:
    command = [sys.executable, "-m", "sync.embedded.serve"]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def _first_line(process: subprocess.Popen[str], timeout: float) -> str:
    found: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: found.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(timeout)
    return found[0] if found else ""


def start_embedded(*, timeout: float = 60.0, **options: Any) -> EmbeddedServers:
    """Start the servers and wait until they answer.

    ``options`` are the command's, with underscores: port, tls_port, service_port, control_port, campaigns, members,
    seed, quota, package, data_dir, audience_speed, faults, load, only, at. Raises EmbeddedError when the child ends or
    says nothing within ``timeout`` seconds.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed by stop
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        _command(options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )
    line = _first_line(process, timeout)
    try:
        ready = json.loads(line)
    except ValueError:
        servers = EmbeddedServers({}, process, errors)
        if process.poll() is None:
            process.kill()
        process.wait()
        errors.seek(0)
        detail = errors.read().strip().splitlines()[-3:]
        servers.stop()
        raise EmbeddedError("the embedded servers did not start: " + " / ".join(detail)) from None
    return _handle(ready, process, errors)


def _handle(ready: Mapping[str, Any], process: subprocess.Popen[str], errors: IO[str]) -> EmbeddedServers:
    org, service = ready.get("salesforce") or {}, ready.get("predictive") or {}
    return EmbeddedServers(
        ready,
        process,
        errors,
        instance_url=org.get("instance_url", ""),
        tls_url=org.get("tls_url", ""),
        ca=org.get("ca", ""),
        api_version=org.get("api_version", ""),
        access_token=org.get("access_token", ""),
        client_id=org.get("client_id", ""),
        client_secret=org.get("client_secret", ""),
        service_url=service.get("base_url", ""),
        service_token=service.get("token", ""),
        control_url=ready["control_url"],
    )
