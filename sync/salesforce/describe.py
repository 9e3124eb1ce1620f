"""The check of the mapping against the org: what is missing, not readable or not writable. One call; none where it
rides in a call that is made anyway, or where what it found is kept.

Asking whether anything changed since (``If-Modified-Since``) costs the same call as asking for everything, because all
describes ride in one; so what is kept is simply trusted for a while, and forgotten when the org says that it lacks a
field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from sync.digest import mapping_digest
from sync.mapping import Mapping
from sync.salesforce.composite import Answers, Part, SubReply


class _Field(msgspec.Struct):
    name: str
    createable: bool = False
    updateable: bool = False
    filterable: bool = True
    externalId: bool = False


class _Described(msgspec.Struct):
    name: str
    fields: list[_Field] = []
    createable: bool = False
    updateable: bool = False


_DECODER = msgspec.json.Decoder(_Described)

READ = "read"
WRITE = "write"
UPSERT = "upsert"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. ``missing`` are (object, field) that cannot be read; "" as field is the whole object."""

    problems: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def missing_names(self) -> frozenset[tuple[str, str]]:
        """The same, to look names up in."""
        return frozenset(self.missing)


class Kept(Protocol):
    """Where a check is kept between processes; forgets by itself what is too old."""

    def load(self) -> str | None:
        """What was kept; None when nothing is, or it is too old."""

    def save(self, text: str | None) -> None:
        """Keep this; None forgets."""


class _Kept(msgspec.Struct):
    version: str
    mapping: str
    problems: list[tuple[str, str]]
    missing: list[tuple[str, str]]


_KEPT = msgspec.json.Decoder(_Kept)


def kept_text(checked: Checked, version: str, mapping: Mapping) -> str:
    """The check as text, with the API version and the mapping that it holds for."""
    kept = _Kept(version, mapping_digest(mapping), list(checked.problems), list(checked.missing))
    return msgspec.json.encode(kept).decode()


def checked_from(text: str | None, version: str, mapping: Mapping) -> Checked | None:
    """The check that was kept; None of another version or mapping."""
    if text is None:
        return None
    try:
        kept = _KEPT.decode(text)
    except msgspec.DecodeError:
        return None
    if (kept.version, kept.mapping) != (version, mapping_digest(mapping)):
        return None
    return Checked(tuple(kept.problems), tuple(kept.missing))


def wanted(mapping: Mapping) -> dict[str, dict[str, str]]:
    """Object → field → what is done with it, for every name that is switched on."""
    member_writes = ("level", "reason", "synced", "active", "opens", "clicks", "completions", "bounces")
    objects: dict[str, dict[str, str]] = {
        "Campaign": {getattr(mapping, name): READ for name in Mapping.__slots__ if name.startswith("campaign_")},
        "CampaignMember": {
            "Status": WRITE,
            mapping.member_test_member: READ,
            **{getattr(mapping, f"member_{name}"): WRITE for name in member_writes},
        },
    }
    for person in ("Lead", "Contact"):
        objects[person] = {
            "HasOptedOutOfEmail": WRITE,
            mapping.person_test_group: READ,
            mapping.person_test_member: READ,
        }
    for prefix in ("edition", "click", "history"):
        sobject = mapping.click_through if prefix == "click" else getattr(mapping, prefix)
        names = [n for n in Mapping.__slots__ if n.startswith(f"{prefix}_") and n != "click_through"]
        if sobject:
            # A child's parent is set when it is made and never moved.
            objects[sobject] = {
                getattr(mapping, name): UPSERT if name.endswith(("_campaign", "_external_id")) else WRITE
                for name in names
            }
    return {sobject: {name: use for name, use in fields.items() if name} for sobject, fields in objects.items()}


def check_parts(root: str, mapping: Mapping) -> list[Part]:
    """The describes as subrequests: of a call of their own, or of one that is made anyway."""
    return [Part(f"d{i}", "GET", f"{root}/sobjects/{sobject}/describe") for i, sobject in enumerate(wanted(mapping))]


def checked_by(answers: Answers, mapping: Mapping) -> Checked:
    """Compare the mapping with the org's answers to ``check_parts``.

    Raises:
        NotWhatItShouldBe: an answer is no describe.
    """
    problems: list[tuple[str, str]] = []
    missing: list[tuple[str, str]] = []
    for i, (sobject, fields) in enumerate(wanted(mapping).items()):
        _check_object(answers[f"d{i}"], sobject, fields, problems, missing)
    return Checked(tuple(problems), tuple(missing))


def _check_object(
    reply: SubReply,
    sobject: str,
    fields: dict[str, str],
    problems: list[tuple[str, str]],
    missing: list[tuple[str, str]],
) -> None:
    error = reply.error
    if error is not None:
        problems.append((sobject, f"the object is missing or not visible ({error.errorCode})"))
        missing.append((sobject, ""))
        missing.extend((sobject, name) for name in fields)
        return
    known = {field.name.lower(): field for field in reply.read(_DECODER).fields}
    for name, use in fields.items():
        field = known.get(name.lower())
        if field is None:
            problems.append((f"{sobject}.{name}", "the field is missing or not readable"))
            missing.append((sobject, name))
        elif use == WRITE and not field.updateable:
            problems.append((f"{sobject}.{name}", "the field is not writable"))
        elif use == UPSERT and not (field.createable or field.updateable):
            problems.append((f"{sobject}.{name}", "the field cannot be set on new rows"))
