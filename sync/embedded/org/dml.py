"""Writing rows: create, update, upsert and delete, each row checked before anything of it is stored.

One ``Writer`` serves one write request, on the writer's connection inside its transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sync.embedded.org.contention import Locks
from sync.embedded.org.errors import OrgError, SeveralFound
from sync.embedded.org.ids import encoder
from sync.embedded.org.member_rules import MemberRules, Row, cross_reference
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.soql_scope import View, prefix_of
from sync.embedded.org.state import OrgState
from sync.embedded.org.store import Store
from sync.embedded.org.values import no_column, split_row, stored_value

_CHILDREN = {
    "Campaign": (
        ("CampaignMember", "CampaignId"),
        ("CampaignMemberStatus", "CampaignId"),
        ("PAM__Email_Edition__c", "PAM__Campaign__c"),
        ("PAM__Click_Through__c", "PAM__Campaign__c"),
        ("PAM__Email_History__c", "PAM__Campaign__c"),
    ),
    "Lead": (("CampaignMember", "LeadId"),),
    "Contact": (("CampaignMember", "ContactId"),),
}


@lru_cache(maxsize=64)
def _insert_sql(item_name: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {item_name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def deleted_error() -> OrgError:
    """The error for a record that was deleted."""
    return OrgError("ENTITY_IS_DELETED", "entity is deleted", status=404)


@dataclass(slots=True)
class Writer:
    """One request's writes. ``stamp`` is the second that every row of the request is stamped with.

    ``assigns``: the org's assignment rule gives leads an owner. ``allows_duplicates``: so a header of the request says.
    ``locks``: the campaigns that it may not get, where requests contend for them.
    """

    connection: sqlite3.Connection
    store: Store
    state: OrgState
    view: View
    user: int
    stamp: int
    holds: frozenset[tuple[str, int]] = frozenset()
    assigns: bool = False
    allows_duplicates: bool = False
    locks: Locks | None = None
    members: MemberRules = field(init=False)
    _known: dict[tuple[str, int], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.members = MemberRules(self.connection, self.state, self.view.today)

    def create(self, item: ObjectType, values: Mapping[str, Any]) -> int:
        """Insert a row; its key. Raises OrgError."""
        if not item.createable:
            raise OrgError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {item.label}")
        row = self._complete(item, values)
        self._fault(item, "create", None, row)
        key = self.store.take_keys(item.name)
        self._before_insert(item, row, key)
        self._uniques(item, row, None)
        self._rules(item, row, "create")
        self._duplicates(item, row)
        self._assign(item, row)
        columns = tuple(f.name for f in item.stored)
        row.update(
            Id=key,
            CreatedDate=self.stamp,
            CreatedById=self.user,
            LastModifiedDate=self.stamp,
            LastModifiedById=self.user,
            SystemModstamp=self.stamp,
        )
        bound = [row.get(f.name, 0 if f.type == "boolean" else None) for f in item.stored]
        self.connection.execute(_insert_sql(item.name, columns), bound)
        if item.name == "Campaign":
            self._first_statuses(key)
        return key

    def _complete(self, item: ObjectType, values: Mapping[str, Any]) -> Row:
        row, links = split_row(item, values, creating=True)
        self._follow(links, row)
        missing = []
        for each in item.stored:
            if row.get(each.name) is None and each.createable:
                if each.name == "OwnerId":
                    row["OwnerId"] = self.user
                elif each.type == "picklist" and each.default is not None:
                    row[each.name] = each.default
                elif each.required:
                    missing.append(each.name)
        if missing and item.name != "CampaignMember":
            raise OrgError(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", tuple(missing)
            )
        if item.name != "CampaignMember":
            self._references(item, row)
        return row

    def _before_insert(self, item: ObjectType, row: Row, key: int) -> None:
        if item.name == "CampaignMember":
            self.members.created(row)
            if self.locks is not None:
                self.locks.take(row["CampaignId"])
        elif item.name == "CampaignMemberStatus":
            row.setdefault("IsDefault", 0)
            row.setdefault("HasResponded", 0)
            self.members.status_written(None, row, None)
        auto = item.by_name["name"].auto_number if "name" in item.by_name else None
        if auto is not None:
            row["Name"] = auto.format(key % 1_000_000)
        elif item.name.endswith("__c") and row.get("Name") is None:
            row["Name"] = encoder(item.prefix)(key)

    def _first_statuses(self, campaign: int) -> None:
        item = self.view.schema.get("CampaignMemberStatus")
        columns = tuple(f.name for f in item.stored)
        first = self.store.take_keys(item.name, 2)
        stamps = {
            "CreatedDate": self.stamp,
            "LastModifiedDate": self.stamp,
            "SystemModstamp": self.stamp,
            "CreatedById": self.user,
            "LastModifiedById": self.user,
            "CampaignId": campaign,
        }
        for offset, (label, default, responded) in enumerate((("Sent", 1, 0), ("Responded", 0, 1))):
            row = {
                "Id": first + offset,
                "Label": label,
                "SortOrder": offset + 1,
                "IsDefault": default,
                "HasResponded": responded,
                **stamps,
            }
            self.connection.execute(_insert_sql(item.name, columns), [row.get(c, 0) for c in columns])

    def update(self, item: ObjectType, key: int, values: Mapping[str, Any]) -> None:
        """Change a row. Raises OrgError."""
        if not item.updateable:
            raise OrgError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be updated: {item.label}")
        self._fault(item, "update", key)
        self.require(item, key)
        changes, links = split_row(item, values, creating=False)
        self._follow(links, changes)
        empty = [n for n, v in changes.items() if v is None and not item.by_name[n].nillable]
        if empty:
            raise OrgError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(empty)}]", tuple(empty))
        self._references(item, changes)
        self._uniques(item, changes, key)
        if item.name == "CampaignMember":
            self.members.updated(key, changes)
        elif item.name == "CampaignMemberStatus":
            before = self.row(item, key)
            self.members.status_written(key, {**before, **changes}, before)
        if self.state.rules:
            self._rules(item, {**self.row(item, key), **changes}, "update")
        self._assign(item, changes)
        self._write(item, key, changes)

    def _write(self, item: ObjectType, key: int, changes: Row) -> None:
        sets = "".join(f"{name} = ?, " for name in changes)
        self.connection.execute(
            f"UPDATE {item.name} SET {sets}LastModifiedDate = ?, LastModifiedById = ?, SystemModstamp = ? WHERE Id = ?",
            (*changes.values(), self.stamp, self.user, self.stamp, key),
        )

    def upsert(self, item: ObjectType, external: Field, value: Any, values: Mapping[str, Any]) -> tuple[int, bool]:
        """Update the row of that external id, or insert it; (key, created). Raises OrgError."""
        key = self.by_external(item, external, value)
        rest = {n: v for n, v in values.items() if n.lower() != external.name.lower()}
        if key is not None:
            if "attributes" in rest or rest:
                self.update(item, key, self._updateable(item, rest))
            return key, False
        return self.create(item, {**rest, external.name: value}), True

    @staticmethod
    def _updateable(item: ObjectType, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values without the parent of a master-detail, which an upsert names again though it cannot move."""
        fixed = {f.name.lower() for f in item.fields if f.cascade_delete and not f.updateable}
        links = {(f.relationship or "").lower() for f in item.fields if f.cascade_delete and not f.updateable}
        return {n: v for n, v in values.items() if n.lower() not in fixed and n.lower() not in links}

    def by_external(self, item: ObjectType, external: Field, value: Any) -> int | None:
        """The key of the row with that external id. Raises OrgError when several have it."""
        stored = stored_value(external, item, value)
        if stored is None:
            raise OrgError("MISSING_ARGUMENT", f"{external.name} not specified", (external.name,))
        rows = self.connection.execute(
            f"SELECT Id FROM {item.name} WHERE {external.name} = ? AND IsDeleted = 0", (stored,)
        ).fetchall()
        if len(rows) > 1:
            shown = encoder(item.prefix)
            raise SeveralFound(external.name, [f"sobjects/{item.name}/{shown(key)}" for (key,) in rows])
        return rows[0][0] if rows else None

    def delete(self, item: ObjectType, key: int) -> None:
        """Delete a row: a campaign member for good, anything else into the recycle bin with its children."""
        if not item.deletable:
            raise OrgError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be deleted: {item.label}")
        self._fault(item, "delete", key)
        self.require(item, key, deleting=True)
        if item.name == "CampaignMember":
            self.connection.execute("DELETE FROM CampaignMember WHERE Id = ?", (key,))
            self.note_gone(item.name, [key])
            return
        if item.name == "CampaignMemberStatus":
            self.members.status_deleted(self.row(item, key))
        marks = "IsDeleted = 1, LastModifiedDate = ?, LastModifiedById = ?, SystemModstamp = ?"
        bound = (self.stamp, self.user, self.stamp, key)
        self.connection.execute(f"UPDATE {item.name} SET {marks} WHERE Id = ?", bound)
        for child, column in _CHILDREN.get(item.name, ()):
            if self.view.schema.find(child) is not None:
                self.connection.execute(f"UPDATE {child} SET {marks} WHERE {column} = ? AND IsDeleted = 0", bound)
        self._known.clear()

    def note_gone(self, name: str, keys: list[int]) -> None:
        """Remember rows that were removed for good, which no query shows again."""
        rows = [(name, key, self.stamp) for key in keys]
        self.connection.executemany("INSERT OR REPLACE INTO _gone VALUES (?, ?, ?)", rows)

    def undelete(self, item: ObjectType, key: int) -> None:
        """Take a row out of the recycle bin again, with the children that were deleted with it. Raises OrgError."""
        if not self.connection.execute(f"SELECT 1 FROM {item.name} WHERE Id = ? AND IsDeleted = 1", (key,)).fetchone():
            raise OrgError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        marks = "IsDeleted = 0, LastModifiedDate = ?, LastModifiedById = ?, SystemModstamp = ?"
        bound = (self.stamp, self.user, self.stamp, key)
        self.connection.execute(f"UPDATE {item.name} SET {marks} WHERE Id = ?", bound)
        for child, column in _CHILDREN.get(item.name, ()):
            if self.view.schema.find(child) is not None:
                self.connection.execute(f"UPDATE {child} SET {marks} WHERE {column} = ? AND IsDeleted = 1", bound)
        self._known.clear()

    def row(self, item: ObjectType, key: int) -> Row:
        """The stored columns of a row."""
        names = [f.name for f in item.stored]
        found = self.connection.execute(f"SELECT {', '.join(names)} FROM {item.name} WHERE Id = ?", (key,)).fetchone()
        return dict(zip(names, found, strict=True))

    def require(self, item: ObjectType, key: int, *, deleting: bool = False, reading: bool = False) -> None:
        """Refuse a row that is missing, deleted, hidden, locked by a held transaction, or a converted lead.

        Locks do not matter for ``reading``, nor conversion for ``deleting``.
        """
        extra = {"Lead": ", IsConverted", "CampaignMember": ", LeadId, ContactId, CampaignId"}.get(item.name, "")
        gone = "IsDeleted" if item.find("IsDeleted") is not None else "0"  # nobody deletes a user
        found = self.connection.execute(f"SELECT {gone}{extra} FROM {item.name} WHERE Id = ?", (key,)).fetchone()
        if found is None:
            raise deleted_error() if self.store.was_given(item.name, key) else cross_reference()
        hidden = self.state.is_hidden(item.name, key)
        if item.name == "CampaignMember":
            hidden = self.state.is_hidden("Lead", found[1]) or self.state.is_hidden("Contact", found[2])
        if hidden:
            raise cross_reference()
        if found[0]:
            raise deleted_error()
        if not reading and (item.name, key) in self.state.locked and (item.name, key) not in self.holds:
            raise OrgError(
                "UNABLE_TO_LOCK_ROW",
                (f"unable to obtain exclusive access to this record or 1 records: {encoder(item.prefix)(key)}"),
            )
        if self.locks is not None and item.name == "CampaignMember" and not reading:
            self.locks.take(found[3])
        if item.name == "Lead" and found[1] and not deleting:
            raise OrgError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")

    def _follow(self, links: list[tuple[Field, Mapping[str, Any]]], row: Row) -> None:
        for link, given in links:
            target = self.view.schema.get(link.reference_to[0])
            names = [n for n in given if n != "attributes"]
            external = target.find(names[0]) if len(names) == 1 else None
            if external is None:
                raise no_column(names[0] if names else link.name, target)
            if not external.external_id and external.type != "id":
                raise OrgError(
                    "INVALID_FIELD",
                    (f"Field name provided, {external.name} is not an External ID or indexed field for {target.name}"),
                )
            if external.type == "id":
                row[link.name] = stored_value(link, target, given[names[0]])
                continue
            key = self.by_external(target, external, given[names[0]])
            if key is None:
                raise OrgError(
                    "INVALID_FIELD",
                    (
                        f"Foreign key external ID: {given[names[0]]} not found for field {external.name} in entity "
                        f"{target.name}"
                    ),
                )
            row[link.name] = key

    def _references(self, item: ObjectType, row: Row) -> None:
        for name, value in row.items():
            each = item.by_name[name]
            if each.type != "reference" or value is None:
                continue
            target = each.reference_to[0]
            known = self._known.get((target, value))
            if known is None:
                deleted = "" if self.view.schema.get(target).find("IsDeleted") is None else " AND IsDeleted = 0"
                known = (
                    self.connection.execute(f"SELECT 1 FROM {target} WHERE Id = ?{deleted}", (value,)).fetchone()
                    is not None
                )
                known = known and not self.state.is_hidden(target, value)
                self._known[(target, value)] = known
            if not known:
                error = cross_reference()
                raise OrgError(error.code, error.message, (name,))

    def _uniques(self, item: ObjectType, row: Row, key: int | None) -> None:
        for each in item.uniques:
            if row.get(each.name) is None:
                continue
            taken = self.connection.execute(
                f"SELECT Id FROM {item.name} WHERE {each.name} = ? AND IsDeleted = 0", (row[each.name],)
            ).fetchone()
            if taken is not None and taken[0] != key:
                text = encoder(item.prefix)(taken[0])[:15]
                raise OrgError(
                    "DUPLICATE_VALUE",
                    (f"duplicate value found: {each.name} duplicates value on record with id: {text}"),
                )

    def _rules(self, item: ObjectType, row: Row, operation: str) -> None:
        for rule in self.state.rules:
            checked = item.find(rule.field)
            if rule.object.lower() != item.name.lower() or checked is None or rule.operation not in (None, operation):
                continue
            value = row.get(checked.name)
            if checked.type in ("reference", "id") and value is not None:
                value = encoder(prefix_of(checked, item))(value)
            if checked.type == "boolean":
                value = bool(value)
            if rule.refuses(value):
                raise OrgError(rule.code, rule.message, (checked.name,) if rule.shown_at_field else ())

    def _duplicates(self, item: ObjectType, row: Row) -> None:
        for rule in self.state.duplicate_rules:
            names = [found.name for name in rule.fields if (found := item.find(name)) is not None]
            values = [row.get(name) for name in names]
            if rule.object.lower() != item.name.lower() or not names or None in values:
                continue
            if self.allows_duplicates and rule.action == "alert":
                continue
            where = " AND ".join(f"{name} = ?" for name in names)
            sql = f"SELECT 1 FROM {item.name} WHERE {where} AND IsDeleted = 0 LIMIT 1"
            if self.connection.execute(sql, values).fetchone() is not None:
                raise OrgError("DUPLICATES_DETECTED", "Use one of these records?")

    def _assign(self, item: ObjectType, row: Row) -> None:
        if self.assigns and item.name == "Lead":
            row["OwnerId"] = self.connection.execute("SELECT max(Id) FROM User").fetchone()[0]

    def _fault(self, item: ObjectType, operation: str, key: int | None, row: Row | None = None) -> None:
        def ids() -> frozenset[str]:
            found = row if row is not None or key is None else self._row_or_none(item, key)
            links = [f for f in item.stored if f.type == "reference" and not f.id_text]
            texts = [encoder(prefix_of(f, item))(found[f.name])[:15] for f in links if found and found.get(f.name)]
            return frozenset([*texts, *([encoder(item.prefix)(key)[:15]] if key is not None and key >= 0 else [])])

        error = self.state.take_row_fault(item.name, operation, ids)
        if error is not None:
            raise error

    def _row_or_none(self, item: ObjectType, key: int) -> Row | None:
        known = self.connection.execute(f"SELECT 1 FROM {item.name} WHERE Id = ?", (key,)).fetchone()
        return self.row(item, key) if known else None
