"""``predictive bundle``: what somebody who helps needs to see, packed into one file, without secrets and people.

What goes in is chosen, not what stays out: versions, checks, the configuration's known keys, timers, meter, the last
runs with their events, the end of the log, the newest crash reports. Whatever text is in there passes the masks last.
"""

from __future__ import annotations

import json
import os
import platform
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli import wire
from console.cli.prose import WRITABLE
from console.masking import mask, without_people, words_of
from console.places import exports_folder, log_file
from sync.errors import PredictiveError, UsageError

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.views import Check

RUNS = 20
LOG_BYTES = 400_000
CRASHES = 3

_AS_IS = frozenset(
    {
        "type", "item", "seq", "at", "run", "kind", "state", "parent", "plan", "plan_id", "phase", "side", "code",
        "rule", "field", "level", "started", "ended", "due", "last_due", "campaign_id", "subject_id", "id",
    }
)  # fmt: skip
"""Keys whose values are ids, instants and words of ours."""

_DROPPED = frozenset({"label", "message"})
"""Keys whose values are people or another system's words about them."""

ABOUT = """\
A support bundle of Predictive Console.

versions.json    this program, its libraries, the machine
config.json      the configuration's values; secrets are never in it, ids of test members are counted only
checks.jsonl     what predictive doctor found
schedule.jsonl   the timers            limits.jsonl   the API meter
runs.jsonl       the last runs         runs/RUN.jsonl their events
log.txt          the end of the log    crash-….txt    the newest crash reports

Masked: secrets by form and by value, e-mail addresses, and every word that is part of the name of a person in the
state. Kept: names of campaigns and editions, record ids, figures, codes. Look through it before you send it.
"""

Parts = dict[str, str]


def bundle(invocation: Invocation) -> int:
    """Write it and say where it lies; what cannot be read is said inside, so that a broken set-up can be packed too."""
    out = _target(invocation)
    parts = collected(invocation)
    cleaned = masked(parts, _names(invocation, parts), os.environ)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, text in cleaned.items():
                packed.writestr(name, text)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}",
            left_undone="nothing was packed",
            remedy=f"{WRITABLE} with --out",
        ) from error
    invocation.report.lines(
        [f"✔ packed: {out}", "  without secrets, names and e-mail addresses; look through it before you send it"],
        {"type": "bundle", "path": str(out), "parts": sorted(cleaned)},
    )
    return 0


def _target(invocation: Invocation) -> Path:
    if invocation.options.out is not None:
        out = Path(invocation.options.out)
        if out.exists():
            raise UsageError(f"{out} exists already", left_undone="it was not touched", remedy="name another file")
        return out
    return exports_folder() / f"predictive-bundle-{invocation.clock.now():%Y%m%dT%H%M%SZ}.zip"


def collected(invocation: Invocation) -> Parts:
    """Everything before it is masked, by name within the file."""
    from console.cli.doctor import installation, terminal

    checks: list[Check] = [*installation(), *terminal(os.environ)]
    parts: Parts = {"ABOUT.txt": ABOUT}
    trouble: list[str] = []

    def read(name: str, what: Callable[[], str]) -> None:
        try:
            parts[name] = what()
        except PredictiveError as error:
            trouble.append(f"{name}: {error.line()}")
        except Exception as error:  # noqa: BLE001 - a bundle is made when something is broken: say so and go on
            trouble.append(f"{name}: unexpected {type(error).__name__}")

    read("config.json", lambda: _indented(_configuration(invocation)))
    read("checks.jsonl", lambda: _lines(map(wire.check, [*checks, *invocation.shell().doctor()])))
    read("schedule.jsonl", lambda: _lines(map(wire.timer, invocation.shell().schedule())))
    read("limits.jsonl", lambda: _lines([wire.limits(invocation.shell().limits())]))
    read("runs.jsonl", lambda: _lines(map(wire.run, invocation.shell().runs(limit=RUNS))))
    for line in parts.get("runs.jsonl", "").splitlines():
        run = json.loads(line)["run"]
        read(f"runs/{run}.jsonl", lambda run=run: _lines(map(wire.event, invocation.shell().events(run))))  # type: ignore[misc]
    parts.setdefault("checks.jsonl", _lines(map(wire.check, checks)))
    parts |= _files()
    parts["versions.json"] = _indented(
        {"checks": [wire.check(each) for each in checks], "machine": platform.platform()}
    )
    if trouble:
        parts["not-read.txt"] = "\n".join(trouble) + "\n"
    return parts


def _configuration(invocation: Invocation) -> dict[str, Any]:
    import tomllib

    settings = invocation.load_settings()
    if settings.source is None:
        return {"source": None, "looked": [str(path) for path in settings.looked]}
    content = tomllib.loads(settings.source.read_text(encoding="utf-8-sig"))
    for org in content.get("orgs", {}).values():
        org["test_members"] = len(org.get("test_members", ()))
        if "client_id" in org.get("salesforce", {}):
            org["salesforce"]["client_id"] = "set"
    return {"source": str(settings.source), "content": content}


def _files() -> Parts:
    """The end of the log and the newest crash reports."""
    found: Parts = {}
    log = log_file()
    try:
        text = log.read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")
        found["log.txt"] = text
        crashes = sorted(log.parent.glob("crash-*.txt"))[-CRASHES:]
        found |= {crash.name: crash.read_text(encoding="utf-8", errors="replace") for crash in crashes}
    except OSError:
        # There is no log yet, or it cannot be read; everything else is still worth having.
        pass
    return found


def _names(invocation: Invocation, parts: Mapping[str, str]) -> frozenset[str]:
    """Words of the bundle that are people's names."""
    try:
        return invocation.shell().known_names(words_of(_free(parts)))
    except PredictiveError:
        # Without a state there are no people that it could name.
        return frozenset()


def _free(parts: Mapping[str, str]) -> Iterable[str]:
    """Every text that is masked word by word."""
    for name, text in parts.items():
        if name.endswith(".txt"):
            yield text
        else:
            for value in _values(text, name):
                yield from _strings(value)


def _values(text: str, name: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else [json.loads(text)]


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def masked(parts: Mapping[str, str], names: frozenset[str], env: Mapping[str, str]) -> Parts:
    """*parts* without secrets, addresses and *names*; keys and closed values of JSON stay what they are."""
    home = str(Path.home())

    def clean(text: str) -> str:
        return without_people(mask(text, env), names.__contains__).replace(home, "~")

    def walk(value: Any, key: str = "") -> Any:
        if key in _DROPPED and value:
            return "[left out]"
        if isinstance(value, str):
            return mask(value, env) if key in _AS_IS else clean(value)
        if isinstance(value, dict):
            return {each: walk(inner, each) for each, inner in value.items()}
        return [walk(each, key) for each in value] if isinstance(value, list) else value

    out: Parts = {}
    for name, text in parts.items():
        if name == "ABOUT.txt":
            out[name] = text
        elif name.endswith(".txt"):
            out[name] = clean(text)
        elif name.endswith(".jsonl"):
            out[name] = _lines(walk(value) for value in _values(text, name))
        else:
            out[name] = _indented(walk(json.loads(text)))
    return out


def _lines(values: Iterable[Any]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False, default=str) + "\n" for value in values)


def _indented(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"
