"""``predictive doctor``: this installation, its configuration, its secrets' origins, the terminal, then both sides.

It works with a broken or missing configuration too, for that is when it is needed: each part that cannot be checked
says so and the others go on. It never shows a secret.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import wire
from console.cli.prose import state
from sync.errors import PredictiveError
from sync.views import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.cli.invocation import Invocation
    from sync.secrets import SecretRef

NAME = "predictive-console"
PACKAGES = ("console", "sync")
_LIBRARIES = ("textual", "httpx", "simple-salesforce", "SQLAlchemy", "msgspec")


def doctor(invocation: Invocation) -> int:
    """All checks; 1 when one is in trouble, 2 when the configuration is."""
    checks, code = [*installation(), *terminal(os.environ)], 0
    for name, look in (("configuration", configuration), ("both sides", both_sides)):
        try:
            checks += look(invocation)
        except PredictiveError as error:
            checks.append(Check(name, "trouble", error.what, _remedy(error)))
            code = error.exit_code
            break
    if any(check.state == "trouble" for check in checks):
        code = code or 1
    invocation.report.items(
        map(wire.check, checks),
        ["Check", "State", "What"],
        lambda line: [
            line["name"],
            state(line["state"]),
            ". ".join(part for part in (line["text"], line["remedy"]) if part),
        ],
        empty="",
    )
    return code


def _remedy(error: PredictiveError) -> str:
    return ". ".join(part for part in (error.where, error.remedy) if part)


def installation() -> list[Check]:
    """Versions, and whether both package names belong to this distribution."""
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        own = f"{NAME} {version(NAME)}"
    except PackageNotFoundError:
        own = f"{NAME} (not installed)"
    libraries = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    return [
        Check("version", "ok", f"{own}, Python {python}, {libraries}"),
        *(owner(package, list(distributions())) for package in PACKAGES),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def owner(package: str, installed: Iterable[Distribution]) -> Check:
    """Whether *package*, as it would be imported, is ours and nobody else's.

    Other projects ship packages with these names too; whichever was installed last overwrites the other's files.
    """
    others = sorted(
        {item.metadata["Name"] for item in installed if item.metadata["Name"] != NAME and package in _top_level(item)}
    )
    found = find_spec(package)
    where = Path(found.origin).parent if found is not None and found.origin else None
    here = Path(__file__).resolve().parents[2] / package
    name = f"package {package}"
    if where is None or where.resolve() != here:
        return Check(
            name,
            "trouble",
            f"{package} is imported from {where}, not from {here}",
            "install into an environment of its own: pipx or uv tool",
        )
    if others:
        return Check(
            name,
            "trouble",
            f"{', '.join(others)} also installs {package}",
            "install into an environment of its own: pipx or uv tool",
        )
    return Check(name, "ok", f"ours, from {where}")


def _top_level(item: Distribution) -> set[str]:
    """First path segments of what a distribution installed."""
    return {path.parts[0].removesuffix(".py") for path in item.files or () if path.parts}


def configuration(invocation: Invocation) -> list[Check]:
    """Which file is read, where the state is kept, and where each secret came from; never a secret."""
    from console.cli.crash import mask

    settings = invocation.org_settings()
    writes = "read-only" if settings.read_only or invocation.options.read_only else "writes"
    refs = (*settings.salesforce.secrets, settings.predictive.token)
    return [
        Check("configuration", "ok", f"{settings.source}, org {settings.name}, {writes}"),
        Check("state file", "ok", mask(settings.state_url, {})),
        *(_secret(ref) for ref in refs),
    ]


def _secret(ref: SecretRef) -> Check:
    name = ref.label
    said: list[str] = []
    found = ref.resolve(say=said.append)
    if found is None:
        return Check(name, "trouble", "; ".join([f"not found for {ref.org}", *said]), _how_to_give(ref))
    return Check(name, "ok", f"from {found.source}")


def _how_to_give(ref: SecretRef) -> str:
    return "run 'predictive login'" if ref.key == "refresh_token" else f"set {ref.env_name}"


def both_sides(invocation: Invocation) -> list[Check]:
    """What the engine checks of the org, the service and the state, without what was said already."""
    said = {"configuration", "org secret", "org login", "service token", *(f"package {name}" for name in PACKAGES)}
    return [check for check in invocation.shell().doctor() if check.name not in said]


def terminal(env: Mapping[str, str]) -> list[Check]:
    """What the terminal says of itself: encoding, colours, size, what stands between."""
    # While the console is open, what stands in for standard output takes text and knows nothing else.
    out = sys.stdout if isinstance(sys.stdout, io.TextIOBase) else sys.__stdout__
    encoding = (getattr(out, "encoding", None) or "ascii").lower()
    colours = "none (NO_COLOR)" if env.get("NO_COLOR") else "16 million" if env.get("COLORTERM") else "what TERM gives"
    size = shutil.get_terminal_size()
    between = [name for name, key in (("tmux", "TMUX"), ("screen", "STY"), ("SSH", "SSH_CONNECTION")) if env.get(key)]
    text = f"TERM {env.get('TERM') or 'not set'}, {encoding}, colours {colours}, {size.columns}×{size.lines}"
    if between:
        text += f", through {' and '.join(between)}"
    if out is None or not out.isatty():
        return [Check("terminal", "ok", f"none on standard output; {text}")]
    if "utf" not in encoding:
        return [Check("terminal", "attention", text, "names and glyphs need UTF-8: export LANG=C.UTF-8")]
    if size.columns < 80 or size.lines < 24:
        return [Check("terminal", "attention", text, "the console is drawn for 80×24 and more")]
    return [Check("terminal", "ok", text)]
