"""The one member that somebody means: by id, or by e-mail address or name when that is unambiguous in the campaign.

Imports the store and values. No request is made.
"""

from __future__ import annotations

from sync.errors import UsageError
from sync.ids import CampaignId, MemberId, PersonId, looks_like_id, to18
from sync.store.finding import Sighting, find
from sync.store.store import Store
from sync.words import plural

_SHOWN = 5


def find_person(store: Store, campaign_id: CampaignId, name: str, text: str) -> Sighting:
    """The person of the campaign called *name* that *text* means. An id that is not known here is taken at its word:
    who is no member any more still has a story.

    Raises:
        UsageError: nobody, or more than one.
    """
    found = find(store.database, campaign_id, text)
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        shown = "; ".join(one.label for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(
            f"{text!r} names {plural(len(found), 'member')} of {name}",
            left_undone="nothing was done",
            remedy=f"give the id: {shown}{more}",
        )
    if looks_like_id(text):
        key = to18(text)
        return _remembered(store, campaign_id, key) or Sighting(PersonId(key), None, None, None, None)
    raise UsageError(
        f"{name} has no member with the id, e-mail address or name {text!r}",
        left_undone="nothing was done",
        remedy="predictive members CAMPAIGN --text PART lists members; a removed member is found by its id",
    )


def _remembered(store: Store, campaign_id: CampaignId, key: str) -> Sighting | None:
    """Somebody the journal knows by the id of a member row that is gone."""
    found = store.journal.person_of(campaign_id, MemberId(key))
    return None if found is None else Sighting(found, MemberId(key), None, None, None)
