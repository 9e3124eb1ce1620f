"""Doctor: what could keep this console from working, each line with its remedy.

Imports ports, settings and the store. Spends three Salesforce calls at most; never shows a secret, only where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from sync.budget import Gear
from sync.engine.governor import kept_gear, ladder_of, meter_of
from sync.engine.parts import Parts
from sync.engine.reads import StoreReads
from sync.errors import PredictiveError
from sync.mapping import Mapping
from sync.secrets import read_owner_only_text
from sync.store.store import Store
from sync.views import Check
from sync.words import plural

OK, ATTENTION, TROUBLE = "ok", "attention", "trouble"
DISTRIBUTION = "predictive-console"
CLOCK_TOLERANCE = 120.0
_PASSWORD = re.compile(r"://[^/@:]*:[^/@]+@")


def examine(shell: StoreReads) -> Iterator[Check]:
    """All checks, as they are made; without its secrets the network is left out."""
    yield from _installation()
    yield from _settings(shell)
    try:
        parts = shell.parts()
    except PredictiveError as error:
        yield Check("network", TROUBLE, error.what, error.remedy)
    else:
        with parts.made_for("doctor"):
            yield from _org(parts)
            yield from _service(parts)
    yield from _state(shell.store)
    yield _workers(shell)


def _installation() -> Iterator[Check]:
    owners = metadata.packages_distributions()
    for package in ("console", "sync"):
        found = sorted(set(owners.get(package, [])))
        if found in ([DISTRIBUTION], []):
            yield Check(f"package {package}", OK, "belongs to this program")
        else:
            yield Check(
                f"package {package}",
                TROUBLE,
                f"is shared with {', '.join(name for name in found if name != DISTRIBUTION)}",
                "install this program on its own: uv tool install predictive-console, or pipx",
            )


def _settings(shell: StoreReads) -> Iterator[Check]:
    settings = shell.settings
    yield Check("configuration", OK, f"{settings.name} from {settings.source or 'the program itself'}")
    refs = {ref.label: ref for ref in (*settings.salesforce.secrets, settings.predictive.token)}
    if settings.salesforce.private_key_file is not None and settings.salesforce.auth == "jwt":
        yield _key_file(settings.salesforce.private_key_file)
    for name, ref in refs.items():
        try:
            found = ref.resolve()
        except PredictiveError as error:
            yield Check(name, TROUBLE, error.what, error.remedy)
            continue
        if found is None:
            way = "run 'predictive login'" if ref.key == "refresh_token" else f"set {ref.env_name}, or put it into"
            rest = "" if ref.key == "refresh_token" else " the owner-only secrets file"
            yield Check(name, TROUBLE, "is nowhere", way + rest)
        else:
            yield Check(name, OK, f"from {found.source}")
    if _PASSWORD.search(settings.state_url):
        text, remedy = "a password stands in state.url", "move it into ~/.pgpass (mode 0600) or PGPASSWORD"
        yield Check("state password", ATTENTION, text, remedy)
    if shell.is_read_only():
        yield Check("writing", ATTENTION, "this org is read-only", "set read_only = false when a plan looks right")
    if not settings.mapping.has_editions:
        yield Check("mapping", ATTENTION, "edition rows are off: editions stay in service and console")
    unverified = [name for name in Mapping.__slots__ if not getattr(settings.mapping, name)]
    if unverified:
        yield Check("mapping", ATTENTION, f"switched off: {', '.join(unverified)}")


def _key_file(path: Path) -> Check:
    try:
        read_owner_only_text(path)
    except PredictiveError as error:
        return Check("org private key", TROUBLE, error.what, error.remedy)
    return Check("org private key", OK, f"from file {path}")


def _version(parts: Parts) -> Check:
    wanted, used = parts.settings.salesforce.api_version, getattr(parts.org, "api_version", "")
    if used in ("", wanted):
        return Check("API version", OK, wanted)
    return Check("API version", ATTENTION, f"{used}: the org does not have {wanted}", f'set api_version = "{used}"')


def _org(parts: Parts) -> Iterator[Check]:
    try:
        identity = parts.org.identity()
        yield Check("Salesforce", OK, f"{identity.name} ({identity.org_id}), time zone {identity.time_zone}")
        known = parts.store.facts.get("org.id")
        if known and known != identity.org_id:
            yield Check("state", TROUBLE, f"belongs to org {known}", "give this org a state of its own (state.url)")
        wrong = parts.org.describe_check()
    except PredictiveError as error:
        yield Check("Salesforce", TROUBLE, error.what, error.remedy)
        return
    yield _version(parts)
    for name, what in wrong:
        yield Check(f"field {name}", TROUBLE, what, "give the integration user access, or correct [orgs.NAME.mapping]")
    if not wrong:
        yield Check("fields", OK, "every mapped field is there, readable and writable")
    hidden = sum(record.invisible for record in parts.store.campaigns.all())
    if hidden:
        yield Check(
            "sharing",
            ATTENTION,
            f"{plural(hidden, 'member')} can no longer be seen",
            "give the integration user View All on campaigns, leads and contacts",
        )
    used = meter_of(parts)
    gear = ladder_of(parts).gear(used.used, used.limit, kept_gear(parts))
    text = (
        f"{used.used:,} of {plural(used.limit, 'call')} used in 24 hours"
        if used.limit
        else "the org has not told its limit"
    )
    yield Check("API calls", OK if gear is Gear.NORMAL else ATTENTION, text)


def _service(parts: Parts) -> Iterator[Check]:
    try:
        identity = parts.service.identity()
    except PredictiveError as error:
        yield Check("Predictive", TROUBLE, error.what, error.remedy)
        return
    yield Check("Predictive", OK, f"version {identity.version} ({identity.service_id})")
    off = abs((identity.time - parts.clock.now()).total_seconds())
    if off > CLOCK_TOLERANCE:
        yield Check("clock", ATTENTION, f"this machine is {off:.0f} s off the service's clock", "set the clock")
    else:
        yield Check("clock", OK, "agrees with the service's")


def _state(store: Store) -> Iterator[Check]:
    yield Check("state", OK, store.url)
    for record in store.campaigns.all():
        if record.locked:
            yield Check(
                f"campaign {record.campaign.name}",
                TROUBLE,
                f"locked: {record.locked}",
                "look at it, then: predictive runs unlock CAMPAIGN --reason TEXT",
            )
    open_intents = store.journal.open_intents()
    if open_intents:
        yield Check(
            "journal",
            ATTENTION,
            f"{plural(len(open_intents), 'batch has', 'batches have')} no outcome",
            "the next run reads what they did before it repeats anything",
        )
    paused = store.schedule.paused()
    if paused is not None:
        yield Check("timers", ATTENTION, f"paused: {paused}", "predictive schedule resume")


def _workers(shell: StoreReads) -> Check:
    """Who fires the timers and carries out what waits, when no console is open."""
    there, waiting = shell.store.workers.living(), shell.store.queue.open()
    if there:
        since = min(worker.started for worker in there)
        return Check("workers", OK, f"{len(there)} at work, the first since {since:%Y-%m-%d %H:%M} UTC")
    if waiting:
        oldest = waiting[0].asked_at
        wait = plural(len(waiting), "run waits", "runs wait")
        text = f"none is there, and {wait} for one since {oldest:%Y-%m-%d %H:%M} UTC"
        return Check("workers", ATTENTION, text, "start predictive worker")
    timers = "timers run while a console is open" if shell.settings.timers.enabled else "timers are off"
    return Check("workers", OK, f"none is there; {timers}")
