"""Fills a fresh org with exported records, as they are: keys are new, everything else is the copy's."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sync.embedded.org.core import Identity
from sync.embedded.org.errors import OrgError
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.soql_scope import know_prefixes
from sync.embedded.org.store import Store
from sync.embedded.org.values import stored_value
from sync.embedded.seed.exported import Exported
from sync.embedded.seed.load import ZONE, Loader

_SYSTEM = ("CreatedDate", "LastModifiedDate", "SystemModstamp")
_USERS = ("OwnerId", "CreatedById", "LastModifiedById")


@dataclass(slots=True)
class _Copy:
    """What is known while records are written: their keys by scope and reference, and by their old ids."""

    store: Store
    second: int
    user: int
    keys: dict[int, int] = field(default_factory=dict)
    named: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    old: dict[str, tuple[str, int]] = field(default_factory=dict)
    members: dict[tuple[int, str, int], Exported] = field(default_factory=dict)

    def item(self, record: Exported) -> ObjectType:
        found = self.store.schema.find(record.kind)
        assert found is not None, "the schema was learned from these records"
        return found

    def know(self, record: Exported) -> None:
        """Give a record its key and remember what it is called by. Raises ExportError for a name given twice."""
        item = self.item(record)
        key = self.store.take_keys(item.name)
        self.keys[id(record)] = key
        if record.reference is not None:
            names = self.named.setdefault(record.scope, {})
            if record.reference in names:
                raise record.error(f"the referenceId {record.reference} is given twice")
            names[record.reference] = (item.name, key)
        old = record.values.get("Id")
        if isinstance(old, str):
            self.old[old[:15]] = (item.name, key)

    def look(self, record: Exported, name: str, value: Any, targets: tuple[str, ...]) -> int:
        """The key that a reference names. Raises ExportError."""
        found: tuple[str, int] | None
        if isinstance(value, str) and value.startswith("@"):
            found = self.named.get(record.scope, {}).get(value[1:])
            if found is None:
                others = [names[value[1:]] for names in self.named.values() if value[1:] in names]
                found = others[0] if len(others) == 1 else None
        else:
            found = self.old.get(str(value)[:15])
        if found is None:
            raise record.error(
                f"{name} {value} is none of the exported records; export {' or '.join(targets)} in the same command, "
                "or leave the field out"
            )
        if targets and found[0] not in targets:
            raise record.error(f"{name} {value} is a record of {found[0]}, not of {' or '.join(targets)}")
        return found[1]

    def row(self, record: Exported) -> dict[str, Any]:
        """The columns of a record. Raises ExportError."""
        item, row = self.item(record), self._from_parent(record)
        for name, value in record.values.items():
            each = item.find(name)
            assert each is not None or name == "Id"
            if each is None or not each.stored or each.type == "id":
                continue
            row[each.name] = self._value(record, item, each, value)
        missing = [f.name for f in item.stored if f.required and row.get(f.name) is None and f.name not in _USERS]
        if missing:
            raise record.error(f"Required fields are missing: [{', '.join(missing)}]")
        for each in item.stored:
            if row.get(each.name) is None:
                row[each.name] = self._absent(each)
        row["Id"] = self.keys[id(record)]
        return row

    def _absent(self, each: Field) -> Any:
        if each.name in _SYSTEM:
            return self.second
        if each.name in _USERS:
            return self.user
        if each.type == "boolean":
            return int(bool(each.default))
        return each.default if each.type == "picklist" else None

    def _value(self, record: Exported, item: ObjectType, each: Field, value: Any) -> Any:
        if value is None:
            return None
        if each.type == "reference":
            if each.reference_to == ("User",):
                return self.user  # users are not part of a copy
            return self.look(record, each.name, value, each.reference_to)
        try:
            return stored_value(each, item, value)
        except OrgError as error:
            if error.code in ("INVALID_EMAIL_ADDRESS", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"):
                return str(value)  # the org that it comes from has accepted it
            raise record.error(f"{each.name}: {error.message}") from None

    def _from_parent(self, record: Exported) -> dict[str, Any]:
        if record.parent is None or record.relation is None:
            return {}
        parent = self.item(record.parent)
        relation = self.store.schema.child(parent, record.relation)
        child = self.item(record).name
        names = [f.name for f in self.item(record).stored if f.reference_to == (parent.name,)]
        if relation is not None and relation.child == child:
            return {relation.field: self.keys[id(record.parent)]}
        if len(names) == 1:
            return {names[0]: self.keys[id(record.parent)]}
        raise record.error(f"{record.relation} is no relationship of {parent.name}")


def load_export(store: Store, records: list[Exported], *, now: datetime) -> tuple[Identity, dict[str, int]]:
    """Fill a fresh store and finish it; who the org and its user are, and the records by object.

    Raises ExportError with file and record.
    """
    know_prefixes(store.schema)
    zone = ZoneInfo(ZONE)
    counts: dict[str, int] = {}
    store.writer.execute("PRAGMA journal_mode=OFF")
    with store.writing() as connection:
        loader = Loader(store, connection, random.Random(0), now, 0, 0)  # noqa: S311 - nothing is drawn
        organization = loader.organization()
        copy = _Copy(store, loader.second, loader.users[0])
        for record in records:
            copy.know(record)
        for record in records:
            item, row = copy.item(record), copy.row(record)
            if item.name == "CampaignMember":
                _check_member(copy, record, row)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {item.name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
            counts[item.name] = counts.get(item.name, 0) + 1
        _complete_statuses(loader, copy)
        connection.execute(
            "UPDATE CampaignMember SET _Converted = 1 WHERE LeadId IN (SELECT Id FROM Lead WHERE IsConverted = 1)"
        )
    store.finish()
    return Identity(organization, loader.users[0], zone), counts


def _check_member(copy: _Copy, record: Exported, row: Mapping[str, Any]) -> None:
    people = [(name, row[name]) for name in ("LeadId", "ContactId") if row.get(name) is not None]
    if not people:
        raise record.error("a campaign member needs LeadId or ContactId; leads and contacts have to be exported too")
    for name, key in people:
        known = copy.members.setdefault((row["CampaignId"], name, key), record)
        if known is not record:
            raise record.error(f"the same person is a member of the same campaign in {known.where}")


def _complete_statuses(loader: Loader, copy: _Copy) -> None:
    """Give campaigns the statuses that were not exported: those that their members have, and a default."""
    connection, first = loader.connection, ("Sent", "Responded")
    for (campaign,) in connection.execute("SELECT Id FROM Campaign").fetchall():
        sql = "SELECT Label, IsDefault FROM CampaignMemberStatus WHERE CampaignId = ?"
        known = {label.casefold(): default for label, default in connection.execute(sql, (campaign,))}
        sql = "SELECT Status, max(HasResponded) FROM CampaignMember WHERE CampaignId = ? AND Status NOTNULL GROUP BY 1"
        used = {label: responded for label, responded in connection.execute(sql, (campaign,)) if label}
        wanted = dict.fromkeys(first, 0) | {"Responded": 1} if not known else {}
        wanted |= {label: responded for label, responded in used.items() if label.casefold() not in known}
        rows = [
            {
                "CampaignId": campaign,
                "Label": label,
                "SortOrder": len(known) + number,
                "IsDefault": int(number == 1 and not any(known.values())),
                "HasResponded": int(responded),
                **loader.stamps(0),
            }
            for number, (label, responded) in enumerate(wanted.items(), 1)
        ]
        loader.add("CampaignMemberStatus", rows)
        sql = "SELECT Label FROM CampaignMemberStatus WHERE CampaignId = ? ORDER BY IsDefault DESC, SortOrder, Id"
        (default,) = connection.execute(sql, (campaign,)).fetchone()
        bound = (default, campaign)
        connection.execute("UPDATE CampaignMemberStatus SET IsDefault = (Label = ?) WHERE CampaignId = ?", bound)
        connection.execute("UPDATE CampaignMember SET Status = ? WHERE CampaignId = ? AND Status IS NULL", bound)
    connection.execute(
        "UPDATE CampaignMember SET HasResponded = ifnull((SELECT s.HasResponded FROM CampaignMemberStatus s WHERE "
        "s.CampaignId = CampaignMember.CampaignId AND s.Label = CampaignMember.Status), HasResponded)"
    )
