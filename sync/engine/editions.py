"""Editions by hand: find one by slot, id, role or name; change it; send it to the test members.

Imports ports, model and the store. Predictive owns editions: a change goes to the service, the org's row follows with
the next hourly batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sync.engine.gate import check_writable
from sync.engine.parts import Parts
from sync.errors import UsageError
from sync.ids import CampaignId
from sync.model import Edition


def find_edition(parts: Parts, campaign_id: CampaignId, text: str) -> Edition:
    """An edition by slot number, id, role or exact name; the service is asked when the store knows none.

    Raises:
        UsageError: none or more than one matches.
    """
    editions = parts.store.content.editions(campaign_id)
    if not editions:
        editions = parts.service.editions(campaign_id)
        parts.store.content.land_editions(editions)
    wanted = text.strip().casefold().replace("_", " ")
    found = [each for each in editions if text.strip() in (str(each.slot), each.id, each.salesforce_id)]
    if not found:
        found = [each for each in editions if wanted in (each.role.casefold().replace("_", " "), each.name.casefold())]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{each.slot} {each.name}" for each in editions) or "none; click New Edition first"
    what = f"no edition {text!r}" if not found else f"{text!r} names {len(found)} editions"
    raise UsageError(what, left_undone="nothing was changed", remedy=f"editions of this campaign: {known}")


def edit_edition(parts: Parts, campaign_id: CampaignId, text: str, fields: Mapping[str, Any]) -> Edition:
    """Change an edition in the service.

    Raises:
        Refused: the org is read-only. UsageError: no such edition. RemoteRejected: the service refused the change.
    """
    check_writable(parts)
    with parts.made_for("edition", campaign_id=campaign_id):
        edition = find_edition(parts, campaign_id, text)
        changed = parts.service.patch_edition(edition.id, fields, key=f"edit-{uuid4().hex}")
        parts.store.content.land_editions((changed,))
    return parts.store.content.edition(edition.id) or changed


def test_send(parts: Parts, campaign_id: CampaignId, text: str) -> tuple[int, tuple[str, ...], Edition]:
    """Send an edition to the test members: how many, to whom, the edition after it.

    Raises:
        Refused: the org is read-only. UsageError: no such edition. RemoteRejected: no test members, no content.
    """
    check_writable(parts)
    with parts.made_for("test-send", campaign_id=campaign_id):
        edition = find_edition(parts, campaign_id, text)
        sent, people, after = parts.service.test_send(edition.id, key=f"test-{uuid4().hex}")
        parts.store.content.land_editions((after,))
    return sent, people, after
