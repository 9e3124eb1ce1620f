"""What the configuration said when the console was last opened, so that it need not be read before the first paint.

Standard library and platformdirs. It holds as long as the file is the very same (path, size, time, number on the disk)
and none stands before it; the configuration itself is read right after the paint, by whoever opens the org.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Opening:
    """One org of one file, as far as the first frame shows it.

    Attributes:
        config: the file; before: places that were looked at before it and had none.
        org, orgs: the org that is meant, and all there are.
        mode: as the configuration has it, without the flags of the command line.
        state: what tells this org's state from others, for the last view's name.
    """

    config: str
    before: tuple[str, ...]
    org: str
    orgs: tuple[str, ...]
    mode: str
    state: str
    dress: str | None
    bell: bool


def _place(config: str | None, org: str | None) -> Path:
    from platformdirs import user_cache_path

    where = str(Path(config).absolute()) if config is not None else ""
    which = zlib.crc32(f"{where}\n{org or ''}".encode())
    return user_cache_path("predictive-console", appauthor=False) / f"opening-{which:08x}.json"


def _stamp(path: str) -> list[int]:
    state = os.stat(path)
    return [state.st_size, state.st_mtime_ns, state.st_ino]


def recall(config: str | None, org: str | None) -> Opening | None:
    """What was remembered for these words of the command line; None when it may not hold any more."""
    try:
        body: dict[str, Any] = json.loads(_place(config, org).read_text(encoding="utf-8"))
        if body.pop("format") != FORMAT or body.pop("stamp") != _stamp(body["config"]):
            return None
        found = Opening(**{**body, "before": tuple(body["before"]), "orgs": tuple(body["orgs"])})
        return None if any(os.path.exists(place) for place in found.before) else found
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(config: str | None, org: str | None, opening: Opening) -> None:
    """Keep it for the next time; a cache that cannot be written is no loss."""
    from sync.atomic import write_text

    with contextlib.suppress(OSError):
        body = {"format": FORMAT, "stamp": _stamp(opening.config), **asdict(opening)}
        write_text(_place(config, org), json.dumps(body))


def before(config: Path, looked: Iterable[Path]) -> tuple[str, ...]:
    """The places that come before *config*."""
    out: list[str] = []
    for place in looked:
        if place == config:
            break
        out.append(str(place))
    return tuple(out)
