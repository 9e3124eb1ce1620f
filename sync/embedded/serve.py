"""``python -m sync.embedded.serve``: the org, the service and their control address in one process.

Binds to loopback only, prints one JSON line when everything answers, and ends when its standard input closes or on
SIGTERM or SIGINT. What is heavy to import is imported after the arguments were read.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.clock import ControlledClock
from sync.embedded.listening import address_of, listen, quiet_server

if TYPE_CHECKING:
    from uvicorn.server import Server

API_VERSION = "66.0"


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sync.embedded.serve", description=__doc__)
    for name in ("port", "tls-port", "service-port", "control-port"):
        parser.add_argument(f"--{name}", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--campaigns", type=int, default=12)
    parser.add_argument("--members", type=int, default=60, help="members of each campaign")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quota", type=int, default=100_000, help="API calls in 24 hours")
    parser.add_argument("--package", choices=("pam", "none"), default="pam")
    parser.add_argument("--data-dir", type=Path, default=None, help="kept there; a temporary one is removed at the end")
    parser.add_argument("--audience-speed", type=float, default=60.0)
    parser.add_argument("--faults", type=Path, default=None, help="JSON list of faults in force from the start")
    parser.add_argument("--load", type=Path, default=None, help="directory that sf data export tree wrote")
    parser.add_argument("--only", choices=("org", "service"), default=None)
    parser.add_argument("--at", default=None, help="the instant the servers' clock starts at (ISO 8601)")
    return parser.parse_args(given)


@dataclass(slots=True)
class _House:
    """Everything that is served, and what the ready line says about it."""

    ready: dict[str, Any]
    served: list[tuple[Server, socket.socket]]
    directory: Path
    temporary: bool


def _build(options: argparse.Namespace) -> _House:
    from sync.embedded.control import Control, instant_of
    from sync.embedded.faults import Faults, read_faults
    from sync.embedded.wire import Usage

    rules = read_faults(options.faults) if options.faults is not None else []
    clock = ControlledClock()
    if options.at is not None:
        clock.set(instant_of(options.at))
    temporary = options.data_dir is None
    directory = Path(tempfile.mkdtemp(prefix="predictive-sandbox-")) if temporary else options.data_dir
    directory.mkdir(parents=True, exist_ok=True)
    house = _House({"salesforce": None, "predictive": None}, [], directory, temporary)
    faults, usage = Faults(), Usage()
    built = _org(options, house, clock, faults, usage) if options.only != "service" else None
    if options.only != "org":
        _service(options, house, clock, faults, usage)
    control = Control(clock, faults, usage, built)
    control.add_faults(rules)
    sock = listen(options.control_port)
    house.ready["control_url"] = address_of(sock)
    house.served.append((quiet_server(control.app), sock))
    return house


def _org(options: argparse.Namespace, house: _House, clock: ControlledClock, faults: Any, usage: Any) -> Any:
    from sync.embedded.org.build import OrgOptions, build_org
    from sync.embedded.org.identity import user_name
    from sync.embedded.org.long_requests import LongRequests
    from sync.embedded.org.router import template
    from sync.embedded.serve_tls import make_certificates, make_signing_key
    from sync.embedded.wire import Wire

    built = build_org(
        OrgOptions(
            options.campaigns,
            options.members,
            options.seed,
            options.quota,
            options.package == "pam",
            house.directory / "org.sqlite",
            options.load,
        ),
        clock,
    )
    schema = built.org.schema

    def count(path: str) -> str | None:
        return template(path, schema) if path.startswith(("/services/data/v", "/services/async/")) else None

    part = "/services/data/v{version}#part"
    built.gateway.on_counted(lambda: usage.add("salesforce", "POST", part))
    long = LongRequests(clock, built.org.state.switches)
    app = Wire(built.gateway.app, side="salesforce", faults=faults, clock=clock, usage=usage, count=count, long=long)
    ca, certificate = make_certificates(house.directory / "tls")
    signing, built.gateway.oauth.certificate = make_signing_key(house.directory / "tls")
    plain, tls = listen(options.port), listen(options.tls_port)
    house.served += [(quiet_server(app), plain), (quiet_server(app, certificate=certificate), tls)]
    house.ready["salesforce"] = {
        "instance_url": address_of(plain),
        "access_token": built.access_token,
        "api_version": API_VERSION,
        "tls_url": address_of(tls, "https"),
        "ca": str(ca.resolve()),
        "client_id": built.client.client_id,
        "client_secret": built.client.client_secret,
        "loaded": built.loaded,
        "refresh_token": built.client.refresh_token,
        "private_key": str(signing.resolve()),
        "username": user_name(built.org),
        "password": built.client.password,
        "security_token": built.client.security_token,
    }
    return built


def _service(options: argparse.Namespace, house: _House, clock: ControlledClock, faults: Any, usage: Any) -> None:
    from sync.embedded.service.app import create_app
    from sync.embedded.wire import Wire, service_template

    sock = listen(options.service_port)
    token = "".join(random.Random(f"service {options.seed}").choices("0123456789abcdef", k=48))  # noqa: S311
    app = create_app(
        database=str(house.directory / "service.sqlite"),
        clock=clock,
        token=token,
        seed=options.seed,
        outbox=house.directory / "outbox",
        audience_speed=options.audience_speed,
        public_url=address_of(sock),
        usage=lambda method, path: usage.add("predictive", method, service_template(path)),
    )

    def count(path: str) -> str | None:
        return service_template(path) if path.startswith("/v1/") else None

    wire = Wire(app, side="predictive", faults=faults, clock=clock, usage=usage, count=count, counts_itself=True)
    house.served.append((quiet_server(wire, lifespan="on"), sock))
    house.ready["predictive"] = {"base_url": address_of(sock), "token": token}


def _watch_input(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """Call for the end when standard input closes, as it does when the parent goes."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop may have ended first
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="standard-input", daemon=True).start()


def _warm_up() -> None:
    """Build the SOQL parser while nobody waits for it."""
    from sync.embedded.org.soql_parse import parse

    parse("SELECT Id FROM Campaign")


async def _run(house: _House) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _watch_input(stop, loop)
    tasks = [asyncio.create_task(server.serve([sock])) for server, sock in house.served]
    while not all(server.started for server, _ in house.served):
        failed = next((task for task in tasks if task.done()), None)
        if failed is not None:
            failed.result()
            raise RuntimeError("a server did not start")
        await asyncio.sleep(0.001)
    if house.ready["salesforce"] is not None:
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
    sys.stdout.write(json.dumps(house.ready, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    await stop.wait()
    for server, _ in house.served:
        server.should_exit = True
    await asyncio.wait(tasks, timeout=1.5)


def main(given: Sequence[str] | None = None) -> None:
    """Serve until told to stop; the process ends here."""
    options = _arguments(given)
    try:
        house = _build(options)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        sys.exit(1)
    try:
        asyncio.run(_run(house))
    finally:
        if house.temporary:
            shutil.rmtree(house.directory, ignore_errors=True)
    sys.stdout.flush()
    os._exit(0)  # threads may still be inside a request that nobody waits for


if __name__ == "__main__":
    main()
