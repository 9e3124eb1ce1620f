"""Salesforce record ids: the 15-character form made into the 18-character one, and kinds told by prefix.

Pure: imports nothing but the standard library. Every id that enters the engine passes ``to18`` first, so that two
spellings of one record can never look like two records (the 15-character form is case-sensitive, people paste it).
"""

from __future__ import annotations

import re
from typing import NewType

CampaignId = NewType("CampaignId", str)
MemberId = NewType("MemberId", str)
PersonId = NewType("PersonId", str)
EditionId = NewType("EditionId", str)
RunId = NewType("RunId", str)

CAMPAIGN_PREFIX = "701"
MEMBER_PREFIX = "00v"
LEAD_PREFIX = "00Q"
CONTACT_PREFIX = "003"

_CHECK_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def looks_like_id(text: str) -> bool:
    """True when *text* has the form of a Salesforce id (15 or 18 characters of letters and digits)."""
    return _ID.fullmatch(text) is not None


def checksum(first15: str) -> str:
    """The three check characters that follow a 15-character id.

    Each group of five characters gives one: bit *i* is set where character *i* is an upper-case letter.
    """
    out = []
    for start in (0, 5, 10):
        bits = sum(1 << i for i, char in enumerate(first15[start : start + 5]) if "A" <= char <= "Z")
        out.append(_CHECK_ALPHABET[bits])
    return "".join(out)


def one_spelling(record_id: str) -> str:
    """The 18-character form of a 15-character id; whatever else is given stays as it is."""
    return to18(record_id) if len(record_id) == 15 and looks_like_id(record_id) else record_id


def to18(record_id: str) -> str:
    """Normalise a record id to its 18-character form.

    Args:
        record_id: 15 or 18 characters. Of an 18-character id the check characters are recomputed, because tools
            exist that fold the case of the last three.

    Raises:
        ValueError: the text is not an id.
    """
    if not looks_like_id(record_id):
        raise ValueError(f"{record_id!r} is not a Salesforce id (15 or 18 letters and digits)")
    first15 = record_id[:15]
    return first15 + checksum(first15)
