"""What the managed package adds: fields on standard objects, and its own three objects.

The API names are the working names of the package's fields; counts and rates on Campaign and Edition are computed
on read, as roll-ups and formulas are, and cannot be written.
"""

from __future__ import annotations

from sync.embedded.org.objects_standard import (
    STANDARD,
    SYSTEM_END,
    SYSTEM_START,
    box,
    choice,
    look,
    number,
    text,
)
from sync.embedded.org.schema import Field, ObjectType, Schema, build, schema_of


def _counted(name: str, column: str, label: str) -> Field:
    return number(
        name,
        expression=f"CAST((SELECT r.{column} FROM _rollup r WHERE r.CampaignId = {{t}}.Id) AS REAL)",
        label=label,
        createable=False,
        updateable=False,
        calculated=True,
    )


def _share(name: str, part: str, whole: str, label: str) -> Field:
    return number(
        name,
        "percent",
        label=label,
        createable=False,
        updateable=False,
        calculated=True,
        scale=2,
        expression=f"(SELECT round(100.0 * r.{part} / nullif(r.{whole}, 0), 2) FROM _rollup r "
        "WHERE r.CampaignId = {t}.Id)",
        formula=f"{part} / {whole}",
    )


def _edition_share(name: str, part: str, whole: str, label: str) -> Field:
    return number(
        name,
        "percent",
        label=label,
        createable=False,
        updateable=False,
        calculated=True,
        scale=2,
        expression=f"round(100.0 * {part} / nullif({whole}, 0), 2)",
        formula=f"{part} / {whole}".replace("{t}.", ""),
    )


_ACTIVE = "(SELECT r.Active FROM _rollup r WHERE r.CampaignId = {t}.PAM__Campaign__c)"

_CAMPAIGN = (
    box("PAM__Auto_Sync__c"),
    look("PAM__Business_Unit__c", "PAM__Business_Unit__c", "PAM__Business_Unit__r"),
    _counted("PAM__Active_Members__c", "Active", "Active Members"),
    number(
        "PAM__Inactive_Members__c",
        label="Inactive Members",
        createable=False,
        updateable=False,
        calculated=True,
        expression="CAST((SELECT r.Leads + r.Contacts - r.Converted - r.Active FROM _rollup r "
        "WHERE r.CampaignId = {t}.Id) AS REAL)",
        formula="PAM__Total_Members__c - PAM__Active_Members__c",
    ),
    number(
        "PAM__Total_Members__c",
        label="Total Members",
        createable=False,
        updateable=False,
        calculated=True,
        expression="CAST((SELECT r.Leads + r.Contacts - r.Converted FROM _rollup r WHERE r.CampaignId = {t}.Id) "
        "AS REAL)",
        formula="NumberOfLeads + NumberOfContacts - NumberOfConvertedLeads",
    ),
    _share("PAM__Click_to_Open_Rate__c", "Clicked", "Opened", "Clicked to Open Rate"),
    _share("PAM__Completion_to_Open_Rate__c", "Completed", "Opened", "Completed to Open Rate"),
    number(
        "PAM__Delivered__c",
        label="Delivered Total",
        createable=False,
        updateable=False,
        calculated=True,
        expression="(SELECT total(e.PAM__Delivered__c) FROM PAM__Email_Edition__c e "
        "WHERE e.PAM__Campaign__c = {t}.Id AND e.IsDeleted = 0)",
    ),
    _counted("PAM__Opt_Out_Direct__c", "OptOutDirect", "Opt Out Direct"),
    _share("PAM__Opt_Out_Direct_Rate__c", "OptOutDirect", "DeliveredMembers", "Opt Out Direct Rate"),
)

_MEMBER = (
    text("PAM__Level__c", 40),
    text("PAM__Reason__c", 80),
    box("PAM__Test_Member__c"),
    Field("PAM__Synced__c", "datetime"),
    box("PAM__Active__c"),
    number("PAM__Opens__c"),
    number("PAM__Clicks__c"),
    number("PAM__Completions__c"),
    number("PAM__Bounces__c"),
)

_PERSON = (text("PAM__Test_Group__c", 40), box("PAM__Test_Member__c"), number("PAM__Score__c"))
_EXTERNAL = text("PAM__External_Id__c", 255, external_id=True, unique=True, indexed=True)
_PARENT = look(
    "PAM__Campaign__c",
    "Campaign",
    "PAM__Campaign__r",
    nillable=False,
    updateable=False,
    indexed=True,
    cascade_delete=True,
)
_EDITION = look("PAM__Email_Edition__c", "PAM__Email_Edition__c", "PAM__Email_Edition__r", indexed=True)


def _auto(pattern: str) -> Field:
    return text(
        "Name",
        80,
        nillable=False,
        name_field=True,
        auto_number=pattern,
        createable=False,
        updateable=False,
        default="",
    )


EDITION = ObjectType(
    "PAM__Email_Edition__c",
    "Email Edition",
    "Email Editions",
    "a0E",
    (
        *SYSTEM_START,
        text("Name", 80, name_field=True, label="Email Edition Name"),
        *SYSTEM_END,
        _PARENT,
        text("PAM__Subject__c", 255),
        box("PAM__Active__c"),
        Field("PAM__Start_Date__c", "date"),
        Field("PAM__End_Date__c", "date"),
        number("PAM__Days_Delay__c"),
        _EXTERNAL,
        number("PAM__Sent__c"),
        number("PAM__Delivered__c"),
        number("PAM__Opened__c"),
        number("PAM__Clicked__c"),
        number("PAM__Completed__c"),
        number("PAM__Bounced__c"),
        number("PAM__Opted_Out__c"),
        _edition_share("PAM__Sent_Percent__c", "{t}.PAM__Sent__c", _ACTIVE, "Sent %"),
        _edition_share("PAM__Open_Percent__c", "{t}.PAM__Opened__c", "{t}.PAM__Delivered__c", "Open %"),
        _edition_share("PAM__Click_Percent__c", "{t}.PAM__Clicked__c", "{t}.PAM__Delivered__c", "Click %"),
    ),
)

CLICK_THROUGH = ObjectType(
    "PAM__Click_Through__c",
    "Click Through",
    "Click Throughs",
    "a0C",
    (
        *SYSTEM_START,
        _auto("CT-{0:06d}"),
        *SYSTEM_END,
        _PARENT,
        _EDITION,
        Field("PAM__Url__c", "url", length=255),
        number("PAM__Hits__c"),
        box("PAM__Completion__c"),
        _EXTERNAL,
    ),
)

HISTORY = ObjectType(
    "PAM__Email_History__c",
    "Email History",
    "Email History",
    "a0H",
    (
        *SYSTEM_START,
        _auto("EH-{0:06d}"),
        *SYSTEM_END,
        _PARENT,
        _EDITION,
        text("PAM__Subject__c", 255),
        number("PAM__Count__c"),
        Field("PAM__Date__c", "date"),
        number("PAM__Hour__c"),
        _EXTERNAL,
    ),
)

BUSINESS_UNIT = ObjectType(
    "PAM__Business_Unit__c",
    "Business Unit",
    "Business Units",
    "a0B",
    (
        *SYSTEM_START,
        text("Name", 80, name_field=True),
        choice("PAM__Region__c", "EMEA", "APAC", "Americas"),
        *SYSTEM_END,
    ),
)

_ADDED = {"Campaign": _CAMPAIGN, "CampaignMember": _MEMBER, "Lead": _PERSON, "Contact": _PERSON}


def org_schema(*, package: bool) -> Schema:
    """The schema of an org with the package, or without any of its fields and objects."""
    if not package:
        return schema_of((build(o) for o in STANDARD), package=False)
    extended = [build(o, _ADDED.get(o.name, ())) for o in STANDARD]
    own = [build(o) for o in (EDITION, CLICK_THROUGH, HISTORY, BUSINESS_UNIT)]
    return schema_of((*extended, *own), package=True)
