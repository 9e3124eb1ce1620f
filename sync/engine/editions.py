"""Editions by hand: find one by slot, id, role or name; change it; send it to the test members.

Imports ports, model and the store. Predictive owns editions: a change goes to the service, the org's row follows with
the next hourly batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sync.engine.gate import check_writable
from sync.engine.live import LiveRun, present, start
from sync.engine.parts import Parts
from sync.errors import PredictiveError, RemoteRejected, UsageError
from sync.ids import CampaignId
from sync.model import Edition, RunKind, RunState, Side
from sync.plan import Change, PlanCounts, PlanRow, Subject
from sync.store.journal import WRITTEN, JournalRow
from sync.words import plural

_BATCH = 1
"""The only one of a test send."""


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
    what = f"no edition {text!r}" if not found else f"{text!r} names {plural(len(found), 'edition')}"
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
    """Send an edition to the test members: how many, to whom, the edition after it. Journalled as a run of its own,
    which takes no campaign from anybody.

    Raises:
        Refused: the org is read-only. UsageError: no such edition. RemoteRejected: no test members, no content.
        OutcomeUnknown, ServerDown, …: nobody knows whether it was sent; it is not repeated, and the next run says so.
    """
    check_writable(parts)
    with parts.made_for("test-send", campaign_id=campaign_id):
        edition = find_edition(parts, campaign_id, text)
    record = parts.store.campaigns.get(campaign_id)
    name = record.campaign.name if record is not None else None
    live = start(parts, RunKind.TEST_SEND, campaign_id=campaign_id, campaign_name=name, exclusive=False)
    try:
        with parts.made_for("test-send", run=live.run, campaign_id=campaign_id), present(live):
            done = _test_send(live, campaign_id, edition)
    except RemoteRejected as error:
        # Refused, so nothing was sent: the batch is over.
        parts.store.journal.record_outcome(live.lease, _BATCH, ())
        live.end(RunState.REFUSED, PlanCounts(), error=error.line())
        raise
    except PredictiveError as error:
        live.end(RunState.FAILED, PlanCounts(), error=error.line())
        raise
    except BaseException as error:
        live.end(RunState.FAILED, PlanCounts(), error=f"the run broke: {type(error).__name__}")
        raise
    live.end(RunState.DONE, PlanCounts(predictive_rows=1))
    return done


def _test_send(live: LiveRun, campaign_id: CampaignId, edition: Edition) -> tuple[int, tuple[str, ...], Edition]:
    parts, store = live.parts, live.parts.store
    key = f"{live.run}:{_BATCH}"
    payload = {"test_send": edition.id, "edition": f"{edition.slot} {edition.name}"}
    store.journal.record_intent(live.lease, _BATCH, Side.PREDICTIVE, payload, campaign_id=campaign_id, key=key)
    sent, people, after = parts.service.test_send(edition.id, key=key)
    row = PlanRow(
        seq=live.number_rows(1),
        side=Side.PREDICTIVE,
        campaign_id=campaign_id,
        subject=Subject.EDITION,
        subject_id=edition.id,
        label=f"{edition.slot} {edition.name}",
        change=Change.TEST_SEND,
        field="test_send",
        before=None,
        after=plural(sent, "test mail"),
        reason="an operator's test send",
        rule="operator",
    )
    with store.transaction():
        store.content.land_editions((after,))
        store.journal.record_outcome(
            live.lease, _BATCH, [JournalRow.of(row, WRITTEN, message=f"to {', '.join(people)}")]
        )
    live.note(f"edition {row.label}: {plural(sent, 'test mail')} to {', '.join(people)}", campaign_id=campaign_id)
    return sent, people, after
