"""The rules of campaign members and their statuses.

Rows are looked up on the writer's connection; nothing is written but what the rule itself changes. The platform's
rules: one member a campaign and person; an unknown status silently becomes the campaign's default; HasResponded
follows the status; the first responded date stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sync.embedded.org.errors import OrgError
from sync.embedded.org.state import OrgState

Row = dict[str, Any]


def cross_reference() -> OrgError:
    """The error for a reference to a record that is not there or not visible."""
    return OrgError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")


@dataclass(frozen=True, slots=True)
class _Statuses:
    responded: Mapping[str, tuple[str, int]]
    default: str | None


@dataclass(slots=True)
class MemberRules:
    """The rules for one write request; statuses and references are looked up once each."""

    connection: sqlite3.Connection
    state: OrgState
    today: date
    _statuses: dict[int, _Statuses] = field(default_factory=dict)
    _campaigns: dict[int, bool] = field(default_factory=dict)

    def statuses(self, campaign: int) -> _Statuses:
        """The statuses of a campaign by folded label, and its default."""
        found = self._statuses.get(campaign)
        if found is None:
            rows = self.connection.execute(
                "SELECT Label, HasResponded, IsDefault FROM CampaignMemberStatus "
                "WHERE CampaignId = ? AND IsDeleted = 0",
                (campaign,),
            ).fetchall()
            default = next((label for label, _, is_default in rows if is_default), None)
            found = _Statuses({label.casefold(): (label, responded) for label, responded, _ in rows}, default)
            self._statuses[campaign] = found
        return found

    def forget(self, campaign: int) -> None:
        """Forget a campaign's statuses after a change to them."""
        self._statuses.pop(campaign, None)

    def _status(self, campaign: int, wanted: str | None) -> tuple[str | None, int]:
        known = self.statuses(campaign)
        if wanted is not None and wanted.casefold() in known.responded:
            return known.responded[wanted.casefold()]
        if known.default is not None:
            return known.responded[known.default.casefold()]
        return wanted, 0

    def _campaign(self, key: int | None) -> None:
        if key is None:
            raise OrgError("REQUIRED_FIELD_MISSING", "Required fields are missing: [CampaignId]", ("CampaignId",))
        if key not in self._campaigns:
            row = self.connection.execute("SELECT IsDeleted FROM Campaign WHERE Id = ?", (key,)).fetchone()
            self._campaigns[key] = row is not None and not row[0] and not self.state.is_hidden("Campaign", key)
        if not self._campaigns[key]:
            raise cross_reference()

    def created(self, row: Row) -> None:
        """Complete a new member's row, or refuse it. Raises OrgError."""
        campaign, lead, contact = row.get("CampaignId"), row.get("LeadId"), row.get("ContactId")
        self._campaign(campaign)
        assert campaign is not None
        if lead is None and contact is None and row.get("AccountId") is None:
            raise OrgError(
                "REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId, ContactId]", ("LeadId", "ContactId")
            )
        if lead is not None or contact is not None:
            row["AccountId"] = None
        for name, key in (("Lead", lead), ("Contact", contact)):
            if key is not None:
                self._person(name, key)
        if lead is not None and contact is not None and not self.state.switches.keep_lead_id:
            lead = row["LeadId"] = None
        self._unique(campaign, lead, contact)
        self._responded(row, campaign, row.get("Status"))

    def _person(self, name: str, key: int) -> None:
        converted = "IsConverted" if name == "Lead" else "0"
        row = self.connection.execute(f"SELECT IsDeleted, {converted} FROM {name} WHERE Id = ?", (key,)).fetchone()
        if row is None or self.state.is_hidden(name, key):
            raise cross_reference()
        if row[0]:
            raise OrgError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        if row[1]:
            raise OrgError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")

    def _unique(self, campaign: int, lead: int | None, contact: int | None) -> None:
        for name, key in (("LeadId", lead), ("ContactId", contact)):
            if key is None:
                continue
            taken = self.connection.execute(
                f"SELECT 1 FROM CampaignMember WHERE {name} = ? AND CampaignId = ? AND IsDeleted = 0 "
                f"AND {name} IS NOT NULL",
                (key, campaign),
            ).fetchone()
            if taken is not None:
                raise OrgError("DUPLICATE_VALUE", "Already a campaign member.")

    def _responded(self, row: Row, campaign: int, wanted: str | None) -> None:
        row["Status"], row["HasResponded"] = self._status(campaign, wanted)
        if row["HasResponded"] and row.get("FirstRespondedDate") is None:
            row["FirstRespondedDate"] = self.today.isoformat()

    def updated(self, key: int, changes: Row) -> None:
        """Complete the changes of a member whose status is written."""
        if "Status" not in changes:
            return
        campaign, first = self.connection.execute(
            "SELECT CampaignId, FirstRespondedDate FROM CampaignMember WHERE Id = ?", (key,)
        ).fetchone()
        changes["FirstRespondedDate"] = first
        self._responded(changes, campaign, changes["Status"])

    def status_written(self, key: int | None, row: Row, before: Row | None) -> None:
        """Check a status row of a campaign, and carry its change to the campaign's other statuses and members."""
        campaign = row["CampaignId"]
        self._campaign(campaign)
        self.forget(campaign)
        same = self.connection.execute(
            "SELECT Id FROM CampaignMemberStatus WHERE CampaignId = ? AND Label = ? AND IsDeleted = 0",
            (campaign, row["Label"]),
        ).fetchone()
        if same is not None and same[0] != key:
            raise OrgError("DUPLICATE_VALUE", "duplicate value found: Label duplicates value on record", ("Label",))
        if before is not None and before["IsDefault"] and not row["IsDefault"]:
            raise OrgError("FIELD_INTEGRITY_EXCEPTION", "A campaign needs a default status", ("IsDefault",))
        if row["IsDefault"]:
            self.connection.execute("UPDATE CampaignMemberStatus SET IsDefault = 0 WHERE CampaignId = ?", (campaign,))
        if row.get("SortOrder") is None:
            row["SortOrder"] = 1 + (
                self.connection.execute(
                    "SELECT max(SortOrder) FROM CampaignMemberStatus WHERE CampaignId = ? AND IsDeleted = 0",
                    (campaign,),
                ).fetchone()[0]
                or 0
            )
        if before is not None:
            self.connection.execute(
                "UPDATE CampaignMember SET Status = ?, HasResponded = ? WHERE CampaignId = ? AND Status = ?",
                (row["Label"][:40], row["HasResponded"], campaign, before["Label"]),
            )

    def status_deleted(self, row: Row) -> None:
        """Refuse to delete the default status and statuses in use."""
        used = self.connection.execute(
            "SELECT 1 FROM CampaignMember WHERE CampaignId = ? AND Status = ? AND IsDeleted = 0 LIMIT 1",
            (row["CampaignId"], row["Label"]),
        ).fetchone()
        if row["IsDefault"] or used is not None:
            raise OrgError("DELETE_FAILED", "The default status and statuses in use cannot be deleted")
        self.forget(row["CampaignId"])
