"""Both sides as they are, read past every interface of the engine, in plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.house.sides import Sides

LEVELS = (None, "Sent", "Opened", "Clicked", "Completed")
COUNTERS = ("opens", "clicks", "completions", "bounces")

_ORG = """
SELECT id_text('701', CampaignId) AS camp, id_text('00v', Id) AS member_id,
       ifnull(id_text('003', ContactId), id_text('00Q', LeadId)) AS person, Status AS status, PAM__Level__c AS level,
       PAM__Reason__c AS reason, PAM__Active__c AS active, PAM__Synced__c IS NOT NULL AS synced,
       ifnull(PAM__Opens__c, 0) AS opens, ifnull(PAM__Clicks__c, 0) AS clicks,
       ifnull(PAM__Completions__c, 0) AS completions, ifnull(PAM__Bounces__c, 0) AS bounces
FROM CampaignMember WHERE IsDeleted = 0
"""
_BOXES = """
SELECT id_text('00Q', Id), HasOptedOutOfEmail FROM Lead WHERE IsDeleted = 0
UNION ALL SELECT id_text('003', Id), HasOptedOutOfEmail FROM Contact WHERE IsDeleted = 0
"""
_EDITIONS = """
SELECT PAM__External_Id__c, count(*) FROM PAM__Email_Edition__c WHERE IsDeleted = 0 GROUP BY PAM__External_Id__c
"""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """A picture of both sides.

    ``org``: member rows by member id. ``boxes``: opt-out boxes by record id. ``service``: members by campaign and
    person id. ``mails``: (edition, person id, campaign) by mail id. ``editions``: how many in the service, and rows
    in the org by external id.
    """

    org: dict[str, Row]
    boxes: dict[str, bool]
    service: dict[tuple[str, str], Row]
    mails: dict[str, tuple[str, str, str]]
    editions: tuple[int, dict[str, int]]


def look(sides: Sides) -> Truth:
    """Both sides now."""
    with sides.built.org.store.reading() as org:
        cursor = org.execute(_ORG)
        names = [column[0] for column in cursor.description]
        rows = {row["member_id"]: row for row in (dict(zip(names, each, strict=True)) for each in cursor)}
        boxes = {record: bool(box) for record, box in org.execute(_BOXES)}
        rows_of_editions = dict(org.execute(_EDITIONS).fetchall())
    with sides.service.state.service.db.read() as conn:
        found = conn.exec_driver_sql("SELECT * FROM members WHERE deleted = 0").mappings()
        members = {(row["campaign_id"], row["person_id"]): dict(row) for row in found}
        mails = {
            row[0]: (row[1], row[2], row[3])
            for row in conn.exec_driver_sql("SELECT mail_id, edition_id, person_id, campaign_id FROM mails")
        }
        editions = conn.exec_driver_sql("SELECT count(*) FROM editions").scalar_one()
    for row in members.values():
        row["level"] = None if row["level"] is None else LEVELS[row["level"] + 1]
    return Truth(rows, boxes, members, mails, (editions, rows_of_editions))
