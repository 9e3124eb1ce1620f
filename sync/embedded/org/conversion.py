"""What an org's users do to people beyond editing: converting a lead, merging two records.

Neither is possible over the REST API; the control address does it in their stead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError


def convert_lead(writer: Writer, lead: int, contact: int | None = None) -> int:
    """Convert a lead into a contact of a new account, or into one that is there; the contact's key.

    Members keep their id and their lead; they also get the contact's id where the switch says so and the contact is
    not a member already.
    """
    schema, connection = writer.view.schema, writer.connection
    item = schema.get("Lead")
    writer.require(item, lead)
    row = writer.row(item, lead)
    contact, account = _new_contact(writer, row) if contact is None else (contact, _account_of(writer, contact))
    connection.execute(
        "UPDATE Lead SET IsConverted = 1, Status = 'Closed - Converted', ConvertedDate = ?, ConvertedContactId = ?, "
        "ConvertedAccountId = ?, LastModifiedDate = ?, SystemModstamp = ? WHERE Id = ?",
        (writer.view.today.isoformat(), contact, account, writer.stamp, writer.stamp, lead),
    )
    members = "UPDATE CampaignMember SET _Converted = 1, SystemModstamp = ? WHERE LeadId = ? AND IsDeleted = 0"
    connection.execute(members, (writer.stamp, lead))
    if writer.state.switches.conversion_sets_contact:
        connection.execute(
            "UPDATE CampaignMember SET ContactId = ? WHERE LeadId = ? AND IsDeleted = 0 AND CampaignId NOT IN "
            "(SELECT CampaignId FROM CampaignMember WHERE ContactId = ? AND IsDeleted = 0)",
            (contact, lead, contact),
        )
    return contact


def _account_of(writer: Writer, contact: int) -> int | None:
    item = writer.view.schema.get("Contact")
    writer.require(item, contact)
    account: int | None = writer.row(item, contact)["AccountId"]
    return account


def _new_contact(writer: Writer, row: Mapping[str, Any]) -> tuple[int, int]:
    """The contact that a lead becomes, and its account."""
    schema, connection = writer.view.schema, writer.connection
    account = writer.create(schema.get("Account"), {"Name": row["Company"]})
    values = {n: row[n] for n in ("LastName", "FirstName", "Email", "Title", "Phone", "LeadSource", "Salutation")}
    contact = writer.create(schema.get("Contact"), values)
    copied = "AccountId = ?, HasOptedOutOfEmail = ?, OwnerId = ?, MailingCity = ?, MailingCountry = ?"
    bound = [account, row["HasOptedOutOfEmail"], row["OwnerId"], row["City"], row["Country"]]
    if schema.package:
        copied += ", PAM__Test_Group__c = ?, PAM__Test_Member__c = ?"
        bound += [row["PAM__Test_Group__c"], row["PAM__Test_Member__c"]]
    connection.execute(f"UPDATE Contact SET {copied} WHERE Id = ?", (*bound, contact))
    return contact, account


def merge_people(writer: Writer, name: str, winner: int, loser: int) -> None:
    """Merge two leads or two contacts: members move to the winner, and where both were members one row goes for good.

    Raises OrgError for objects that do not merge.
    """
    if name not in ("Lead", "Contact"):
        raise OrgError("INVALID_OPERATION", f"{name} records cannot be merged")
    item, connection, column = writer.view.schema.get(name), writer.connection, f"{name}Id"
    writer.require(item, winner)
    writer.require(item, loser, deleting=True)
    twice = (
        f"{column} = ? AND CampaignId IN (SELECT CampaignId FROM CampaignMember WHERE {column} = ? AND IsDeleted = 0)"
    )
    gone = connection.execute(f"SELECT Id FROM CampaignMember WHERE {twice}", (loser, winner)).fetchall()
    connection.execute(f"DELETE FROM CampaignMember WHERE {twice}", (loser, winner))
    writer.note_gone("CampaignMember", [key for (key,) in gone])
    connection.execute(
        f"UPDATE CampaignMember SET {column} = ?, SystemModstamp = ? WHERE {column} = ?", (winner, writer.stamp, loser)
    )
    connection.execute(
        f"UPDATE {name} SET IsDeleted = 1, MasterRecordId = ?, SystemModstamp = ? WHERE Id = ?",
        (winner, writer.stamp, loser),
    )
    connection.execute(f"UPDATE {name} SET SystemModstamp = ? WHERE Id = ?", (writer.stamp, winner))
