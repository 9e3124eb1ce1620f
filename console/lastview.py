"""The last view: a small file from which the overview's first frame comes, before the store is opened.

Imports the standard library and the model. It is a picture, not state: a file that cannot be read is no file, and
nothing is ever decided by it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.atomic import write_text
from sync.ids import CampaignId
from sync.model import Campaign, CampaignType, RunState
from sync.views import CampaignView, LimitsView, Warned

FORMAT = 1
MOST = 400
"""Campaigns kept: more than any screen shows at once."""

_NUMBERS = (
    "total",
    "active",
    "inactive",
    "unsynced",
    "editions",
    "sent",
    "delivered",
    "opened",
    "clicked",
    "completed",
    "bounced",
    "opted_out",
    "pending",
)


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _packed(view: CampaignView) -> dict[str, Any]:
    campaign = view.campaign
    return {
        "id": campaign.id,
        "name": campaign.name,
        "type": campaign.type,
        "label": campaign.type_label,
        "auto": campaign.auto_sync,
        "owner": campaign.owner,
        "state": view.state,
        "started": view.started,
        "members": view.members,
        "numbers": [getattr(view, name) for name in _NUMBERS],
        "last": view.last_run and view.last_run.isoformat(),
        "last_state": view.last_state,
        "note": view.last_note,
        "next": view.next_run and view.next_run.isoformat(),
        "locked": view.locked,
        "paused": view.paused,
        "warnings": [[warned.code, warned.text] for warned in view.warnings],
    }


def _unpacked(item: dict[str, Any]) -> CampaignView:
    campaign = Campaign(
        CampaignId(item["id"]),
        item["name"],
        CampaignType(item["type"]) if item["type"] else None,
        item["label"],
        item["state"] == "active",
        None,
        None,
        None,
        item["auto"],
        owner=item["owner"],
    )
    return CampaignView(
        campaign=campaign,
        state=item["state"],
        members=tuple((label, number) for label, number in item["members"]),
        started=item["started"],
        last_run=_when(item["last"]),
        last_state=RunState(item["last_state"]) if item["last_state"] else None,
        last_note=item["note"],
        next_run=_when(item["next"]),
        locked=item["locked"],
        paused=item["paused"],
        warnings=tuple(Warned(code, text) for code, text in item["warnings"]),
        **dict(zip(_NUMBERS, item["numbers"], strict=True)),
    )


def write(path: Path, org: str, campaigns: Sequence[CampaignView], limits: LimitsView | None) -> None:
    """Keep what is on screen, by writing beside and renaming; a full disk or a read-only one changes nothing else."""
    meter = None
    if limits is not None and limits.at is not None:
        meter = [limits.used, limits.limit, limits.ours, limits.others, limits.window, limits.at.isoformat()]
    body = {"format": FORMAT, "org": org, "limits": meter, "campaigns": [_packed(view) for view in campaigns[:MOST]]}
    with contextlib.suppress(OSError):
        write_text(path, json.dumps(body, ensure_ascii=False))


def read(path: Path | None, org: str) -> tuple[tuple[CampaignView, ...], LimitsView | None]:
    """What was last on screen for *org*; empty when there is no such file or it is none of ours."""
    if path is None:
        return (), None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] != FORMAT or body["org"] != org:
            return (), None
        limits = None
        if body["limits"]:
            used, limit, ours, others, window, at = body["limits"]
            limits = LimitsView(used, limit, ours, others, window, (), (), _when(at))
        return tuple(_unpacked(item) for item in body["campaigns"]), limits
    except (OSError, ValueError, KeyError, TypeError):
        return (), None
