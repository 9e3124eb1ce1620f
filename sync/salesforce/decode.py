"""Answers of the org decoded from bytes: typed rows by msgspec, made once per mapping, turned into our values.

Pure. Field names on the wire come from the mapping; a name that is off or missing in the org leaves its default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

import msgspec

from sync.ids import CampaignId, MemberId, PersonId, to18
from sync.mapping import Mapping
from sync.metrics import METRICS
from sync.model import Campaign, CampaignType, OrgMember, PersonKind, StatusLabel, TestPerson

Row = TypeVar("Row")

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ONE = {a: int(a.isupper()) << 4 for a in _DIGITS}
_TWO = {a + b: int(a.isupper()) | int(b.isupper()) << 1 for a in _DIGITS for b in _DIGITS}


def id18(text: str) -> str:
    """``sync.ids.to18``, several times as fast for the 18-character ids that the API answers.

    Raises:
        ValueError: not an id.
    """
    if len(text) == 18 and text.isascii() and text.isalnum():
        try:
            return (
                text[:15]
                + _ALPHABET[_TWO[text[0:2]] | _TWO[text[2:4]] << 2 | _ONE[text[4]]]
                + _ALPHABET[_TWO[text[5:7]] | _TWO[text[7:9]] << 2 | _ONE[text[9]]]
                + _ALPHABET[_TWO[text[10:12]] | _TWO[text[12:14]] << 2 | _ONE[text[14]]]
            )
        except KeyError:
            pass
    return to18(text)


@lru_cache(maxsize=4_096)
def _campaign_id(text: str) -> CampaignId:
    return CampaignId(id18(text))


@lru_cache(maxsize=4_096)
def instant(value: str) -> datetime:
    """A REST datetime (``2026-11-23T01:00:00.000+0000``) as an aware UTC datetime; many rows share one."""
    return datetime.fromisoformat(value).astimezone(UTC)


def optional_instant(value: str | None) -> datetime | None:
    """``instant``, None for None."""
    return instant(value) if value else None


class Page(msgspec.Struct, Generic[Row]):
    """A query's answer."""

    totalSize: int
    done: bool
    records: list[Row]


class LeadPart(msgspec.Struct):
    """What a member shows of its lead."""

    SystemModstamp: str = ""
    ConvertedContactId: str | None = None


class ContactPart(msgspec.Struct):
    """What a member shows of its contact."""

    SystemModstamp: str = ""


class NamePart(msgspec.Struct):
    """Only a name."""

    Name: str | None = None


class IdRow(msgspec.Struct):
    """A member's id with its person."""

    Id: str
    CampaignId: str
    LeadId: str | None = None
    ContactId: str | None = None
    Lead: LeadPart | None = None


class CountRow(msgspec.Struct):
    """Members of a campaign, counted by the org."""

    CampaignId: str
    members: int = 0
    leads: int = 0
    contacts: int = 0
    newest: str | None = None


class StatusCountRow(msgspec.Struct):
    """Members of a campaign with one status."""

    CampaignId: str
    Status: str | None = None
    members: int = 0


class PersonRow(msgspec.Struct):
    """A lead or contact."""

    Id: str
    FirstName: str | None = None
    LastName: str | None = None
    Email: str | None = None
    IsDeleted: bool = False
    MasterRecordId: str | None = None
    IsConverted: bool = False
    ConvertedContactId: str | None = None
    HasOptedOutOfEmail: bool = False
    SystemModstamp: str | None = None


class OrganizationRow(msgspec.Struct):
    """The org itself."""

    Id: str
    Name: str = ""
    TimeZoneSidKey: str = "UTC"


class RowResult(msgspec.Struct):
    """Outcome of one row of a collection."""

    success: bool
    id: str | None = None
    errors: list[dict[str, Any]] = []
    created: bool | None = None


COUNTS = msgspec.json.Decoder(Page[CountRow])
STATUS_COUNTS = msgspec.json.Decoder(Page[StatusCountRow])
PEOPLE = msgspec.json.Decoder(Page[PersonRow])
ID_ROWS = msgspec.json.Decoder(Page[IdRow])
ORGANIZATION = msgspec.json.Decoder(OrganizationRow)
ORGANIZATIONS = msgspec.json.Decoder(Page[OrganizationRow])
RESULTS = msgspec.json.Decoder(list[RowResult])
RECORDS = msgspec.json.Decoder(list[dict[str, Any] | None])

_MEMBER_FIELDS: dict[str, tuple[str, Any, Any]] = {
    "test_member": ("member_test_member", bool | None, False),
    "level": ("member_level", str | None, None),
    "reason": ("member_reason", str | None, None),
    "active": ("member_active", bool | None, False),
    "synced": ("member_synced", str | None, None),
    "opens": ("member_opens", float | None, 0.0),
    "clicks": ("member_clicks", float | None, 0.0),
    "completions": ("member_completions", float | None, 0.0),
    "bounces": ("member_bounces", float | None, 0.0),
}
_MEMBER_FIXED = (
    "Id",
    "CampaignId",
    "LeadId",
    "ContactId",
    "FirstName",
    "LastName",
    "Email",
    "HasOptedOutOfEmail",
    "Status",
    "CreatedDate",
    "SystemModstamp",
    "Lead.SystemModstamp",
    "Lead.ConvertedContactId",
    "Contact.SystemModstamp",
)
_MEMBER_TEXTS = tuple(name for name in _MEMBER_FIXED if "." not in name and name != "HasOptedOutOfEmail")
_HEADER_FIXED = (
    "Name",
    "IsActive",
    "Status",
    "StartDate",
    "EndDate",
    "NumberOfLeads",
    "NumberOfContacts",
    "NumberOfConvertedLeads",
    "Owner.Name",
    "CreatedDate",
    "SystemModstamp",
)


class Codec:
    """Rows of members and campaigns for one mapping.

    Args:
        mapping: names on the wire.
        absent: (object, field) that the org does not have; they are neither asked for nor read.
    """

    def __init__(self, mapping: Mapping, absent: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.mapping = mapping
        names = {ours: getattr(mapping, key) for ours, (key, _, _) in _MEMBER_FIELDS.items()}
        names = {ours: api for ours, api in names.items() if api and ("CampaignMember", api) not in absent}
        self.member_fields: tuple[str, ...] = (*_MEMBER_FIXED, *names.values())
        self.active_field = names.get("active", "")
        self._row = _member_struct(names)
        self._names = names
        self.members: msgspec.json.Decoder[Page[Any]] = msgspec.json.Decoder(Page[self._row])  # type: ignore[name-defined]
        header = {"type": mapping.campaign_type, "auto_sync": mapping.campaign_auto_sync}
        header = {ours: api for ours, api in header.items() if api and ("Campaign", api) not in absent}
        self.has_auto_sync = "auto_sync" in header
        self.header_fields: tuple[str, ...] = tuple(dict.fromkeys((*_HEADER_FIXED, *header.values())))
        figures = {key: getattr(mapping, f"campaign_{key}") for key, *_ in METRICS}
        self.figures = {key: api for key, api in figures.items() if api and ("Campaign", api) not in absent}
        self.figure_fields: tuple[str, ...] = tuple(self.figures.values())
        campaign = _campaign_struct(header | self.figures)
        self.campaigns: msgspec.json.Decoder[Page[Any]] = msgspec.json.Decoder(Page[campaign])  # type: ignore[valid-type]
        self.statuses: msgspec.json.Decoder[Page[Any]] = msgspec.json.Decoder(Page[_status_struct(campaign)])  # type: ignore[misc]

    def member_of_csv(self, row: dict[str, str]) -> OrgMember | None:
        """A member from a Bulk query's row, whose values are text and "" for null."""
        given: dict[str, Any] = {name: row.get(name) or None for name in _MEMBER_TEXTS}
        given["HasOptedOutOfEmail"] = row.get("HasOptedOutOfEmail") == "true"
        if row.get("LeadId"):
            given["Lead"] = LeadPart(row.get("Lead.SystemModstamp", ""), row.get("Lead.ConvertedContactId") or None)
        if row.get("ContactId"):
            given["Contact"] = ContactPart(row.get("Contact.SystemModstamp", ""))
        for ours, api in self._names.items():
            value, kind = row.get(api, ""), _MEMBER_FIELDS[ours][1]
            if not value:
                continue
            if kind == bool | None:
                given[ours] = value == "true"
            else:
                given[ours] = float(value) if kind == float | None else value
        return member_of(self._row(**given))


def _member_struct(names: dict[str, str]) -> type[msgspec.Struct]:
    fixed: list[Any] = [
        ("Id", str),
        ("CampaignId", str),
        ("SystemModstamp", str),
        *((name, str | None, None) for name in ("LeadId", "ContactId", "FirstName", "LastName", "Email", "Status")),
        ("CreatedDate", str | None, None),
        ("HasOptedOutOfEmail", bool | None, False),
        ("Lead", LeadPart | None, None),
        ("Contact", ContactPart | None, None),
    ]
    ours = [(name, kind, default) for name, (_, kind, default) in _MEMBER_FIELDS.items()]
    # A name that is off gets one that no answer has, so that the default stays.
    rename = {name: names.get(name, f"-{name}") for name in _MEMBER_FIELDS}
    return msgspec.defstruct("MemberRow", [*fixed, *ours], rename=rename)


def _campaign_struct(names: dict[str, str]) -> type[msgspec.Struct]:
    fields: list[Any] = [
        *((name, str | None, None) for name in ("Id", "Name", "Status", "CreatedDate", "SystemModstamp")),
        *((name, date | None, None) for name in ("StartDate", "EndDate")),
        *((name, float | None, 0) for name in ("NumberOfLeads", "NumberOfContacts", "NumberOfConvertedLeads")),
        ("IsActive", bool | None, False),
        ("Owner", NamePart | None, None),
        ("type", str | None, None),
        ("auto_sync", bool | None, False),
        *((key, float | None, None) for key, *_ in METRICS),
    ]
    rename = {name: names.get(name, f"-{name}") for name in ("type", "auto_sync", *(key for key, *_ in METRICS))}
    return msgspec.defstruct("CampaignRow", fields, rename=rename)


def _status_struct(campaign: type[msgspec.Struct]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "StatusRow",
        [
            ("Id", str),
            ("CampaignId", str),
            ("Label", str),
            ("IsDefault", bool, False),
            ("HasResponded", bool, False),
            ("SortOrder", int | None, 0),
            ("Campaign", cast(Any, campaign) | None, None),
        ],
    )


def person_of(lead_id: str | None, contact_id: str | None, lead: LeadPart | None) -> tuple[PersonId, PersonKind] | None:
    """A member's person: its contact, or the contact made from its lead, else the lead; None for an account.

    The ids given have 18 characters already, the lead part is as it came.
    """
    if contact_id:
        return PersonId(contact_id), PersonKind.CONTACT
    if lead is not None and lead.ConvertedContactId:
        return PersonId(id18(lead.ConvertedContactId)), PersonKind.CONTACT
    return (PersonId(lead_id), PersonKind.LEAD) if lead_id else None


def member_of(row: Any) -> OrgMember | None:
    """A member row as our value; None for an account's member, which has no person."""
    lead_id = id18(row.LeadId) if row.LeadId else None
    contact_id = id18(row.ContactId) if row.ContactId else None
    person = person_of(lead_id, contact_id, row.Lead)
    if person is None:
        return None
    stamp: str = row.SystemModstamp
    lead, contact = row.Lead, row.Contact
    # One format and one zone: the text's order is the instants' order.
    if lead is not None and lead.SystemModstamp > stamp:
        stamp = lead.SystemModstamp
    if contact is not None and contact.SystemModstamp > stamp:
        stamp = contact.SystemModstamp
    return OrgMember(
        member_id=MemberId(id18(row.Id)),
        campaign_id=_campaign_id(row.CampaignId),
        person_id=person[0],
        kind=person[1],
        lead_id=lead_id,
        contact_id=contact_id,
        first_name=row.FirstName,
        last_name=row.LastName,
        email=row.Email,
        opted_out=bool(row.HasOptedOutOfEmail),
        status=row.Status,
        test_member=bool(row.test_member),
        level=row.level,
        reason=row.reason,
        active=bool(row.active),
        synced=instant(row.synced) if row.synced else None,
        opens=int(row.opens or 0),
        clicks=int(row.clicks or 0),
        completions=int(row.completions or 0),
        bounces=int(row.bounces or 0),
        created=instant(row.CreatedDate) if row.CreatedDate else None,
        stamp=instant(stamp),
    )


def id_row_of_csv(row: dict[str, str]) -> IdRow:
    """A member's id with its person from a Bulk query's row."""
    converted = row.get("Lead.ConvertedContactId")
    lead = LeadPart(ConvertedContactId=converted) if converted else None
    return IdRow(row["Id"], row["CampaignId"], row.get("LeadId") or None, row.get("ContactId") or None, lead)


def members_of(rows: list[Any]) -> tuple[OrgMember, ...]:
    """Member rows as our values, accounts' members left out."""
    return tuple(member for member in map(member_of, rows) if member is not None)


_TYPES = {kind.value: kind for kind in CampaignType}


def campaign_of(
    campaign_id: str,
    row: Any,
    labels: tuple[StatusLabel, ...],
    auto_sync: Callable[[CampaignId], bool],
    figures: Iterable[str] | None = None,
) -> Campaign:
    """A campaign header as our value.

    Args:
        campaign_id: its id.
        row: the header's fields.
        labels: its statuses.
        auto_sync: whether the configuration switches auto-sync on for a campaign.
        figures: keys of the metrics that were read along, None when none were asked for.
    """
    own_id = CampaignId(id18(campaign_id))
    return Campaign(
        id=own_id,
        name=row.Name or "",
        type=_TYPES.get((row.type or "").strip().lower()),
        type_label=row.type,
        is_active=bool(row.IsActive),
        status=row.Status,
        start_date=row.StartDate,
        end_date=row.EndDate,
        auto_sync=bool(row.auto_sync) or auto_sync(own_id),
        number_of_leads=int(row.NumberOfLeads or 0),
        number_of_contacts=int(row.NumberOfContacts or 0),
        number_of_converted=int(row.NumberOfConvertedLeads or 0),
        owner=row.Owner.Name if row.Owner is not None else None,
        created=optional_instant(row.CreatedDate),
        stamp=optional_instant(row.SystemModstamp),
        labels=tuple(sorted(labels, key=lambda label: (label.sort_order, label.label))),
        metrics=None if figures is None else tuple((key, getattr(row, key)) for key in figures),
    )


def label_of(row: Any) -> StatusLabel:
    """A row of CampaignMemberStatus as our value."""
    return StatusLabel(row.Label, bool(row.IsDefault), bool(row.HasResponded), row.SortOrder or 0)


def test_person_of(row: PersonRow, kind: PersonKind) -> TestPerson:
    """A global test member as our value."""
    return TestPerson(PersonId(id18(row.Id)), kind, row.FirstName, row.LastName, row.Email)
