"""The check of the mapping against the org: what is missing, not readable or not writable. One call."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sync.mapping import Mapping
from sync.salesforce.composite import Composite, Part, SubReply


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


def check_names(composite: Composite, mapping: Mapping) -> Checked:
    """Compare the mapping with the org's describes, all in one call.

    Raises:
        whatever ``Composite.send`` raises.
    """
    objects = wanted(mapping)
    parts = [Part(f"d{i}", "GET", f"{composite.root}/sobjects/{sobject}/describe") for i, sobject in enumerate(objects)]
    answers = composite.send(parts, resource="describe")
    problems: list[tuple[str, str]] = []
    missing: list[tuple[str, str]] = []
    for part, (sobject, fields) in zip(parts, objects.items(), strict=True):
        _check_object(answers[part.reference], sobject, fields, problems, missing)
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
