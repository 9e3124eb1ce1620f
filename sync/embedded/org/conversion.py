"""What an org's users do to people beyond editing: converting a lead, merging two records.

Neither is possible over the REST API; the control address does it in their stead.
"""

from __future__ import annotations

from sync.embedded.org.dml import Writer
from sync.embedded.org.errors import OrgError


def convert_lead(writer: Writer, lead: int) -> int:
    """Convert a lead into a contact of a new account; the contact's key.

    Members keep their id and their lead; they also get the contact's id where the switch says so and the contact is
    not a member already.
    """
    schema, connection = writer.view.schema, writer.connection
    item = schema.get("Lead")
    writer.require(item, lead)
    row = writer.row(item, lead)
    account = writer.create(schema.get("Account"), {"Name": row["Company"]})
    values = {n: row[n] for n in ("LastName", "FirstName", "Email", "Title", "Phone", "LeadSource", "Salutation")}
    contact = writer.create(schema.get("Contact"), values)
    copied = "AccountId = ?, HasOptedOutOfEmail = ?, OwnerId = ?, MailingCity = ?, MailingCountry = ?"
    bound = [account, row["HasOptedOutOfEmail"], row["OwnerId"], row["City"], row["Country"]]
    if schema.package:
        copied += ", PAM__Test_Group__c = ?, PAM__Test_Member__c = ?"
        bound += [row["PAM__Test_Group__c"], row["PAM__Test_Member__c"]]
    connection.execute(f"UPDATE Contact SET {copied} WHERE Id = ?", (*bound, contact))
    connection.execute(
        "UPDATE Lead SET IsConverted = 1, Status = 'Closed - Converted', ConvertedDate = ?, ConvertedContactId = ?, "
        "ConvertedAccountId = ?, LastModifiedDate = ?, SystemModstamp = ? WHERE Id = ?",
        (writer.view.today.isoformat(), contact, account, writer.stamp, writer.stamp, lead),
    )
    given = ", ContactId = ?" if writer.state.switches.conversion_sets_contact else ""
    connection.execute(
        f"UPDATE CampaignMember SET _Converted = 1, SystemModstamp = ?{given} WHERE LeadId = ? AND IsDeleted = 0",
        (writer.stamp, *([contact] if given else []), lead),
    )
    return contact


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
