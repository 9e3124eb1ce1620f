"""How Salesforce names what the engine reads and writes, and who owns it. The one place for both.

Pure data. Only eight API names of the package are verified; the others are working names which ``[orgs.NAME.mapping]``
overrides. A name may be ``""``: the field is off, its writes are dropped and listed once. The ownership table is what
makes a write against the owner impossible to express: a plan row is built with ``write_to`` only.
"""

from __future__ import annotations

from collections.abc import Mapping as AbcMapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from sync.errors import ConfigError
from sync.model import Side


class Owner(StrEnum):
    """The side whose value wins."""

    SALESFORCE = "salesforce"
    PREDICTIVE = "predictive"
    BOTH = "both"


OWNERS: dict[str, Owner] = {
    "member": Owner.SALESFORCE,
    "member_id": Owner.SALESFORCE,
    "first_name": Owner.SALESFORCE,
    "last_name": Owner.SALESFORCE,
    "email": Owner.SALESFORCE,
    "test_member": Owner.SALESFORCE,
    "status": Owner.BOTH,
    "opted_out": Owner.BOTH,
    "level": Owner.PREDICTIVE,
    "reason": Owner.PREDICTIVE,
    "active": Owner.PREDICTIVE,
    "synced": Owner.PREDICTIVE,
    "opens": Owner.PREDICTIVE,
    "clicks": Owner.PREDICTIVE,
    "completions": Owner.PREDICTIVE,
    "bounces": Owner.PREDICTIVE,
    "header": Owner.SALESFORCE,
    "test_people": Owner.SALESFORCE,
    "edition": Owner.PREDICTIVE,
    "click_through": Owner.PREDICTIVE,
    "history": Owner.PREDICTIVE,
    # Held is an operator's and the engine's own safety mark on the service's row; the org has no such field.
    "hold": Owner.SALESFORCE,
    # An order of an operator to the service; likewise.
    "test_send": Owner.SALESFORCE,
}


def _taken_by(side: Side) -> frozenset[str]:
    return frozenset(name for name, owner in OWNERS.items() if owner is Owner.BOTH or owner.value != side.value)


ORG_TAKES, SERVICE_TAKES = _taken_by(Side.SALESFORCE), _taken_by(Side.PREDICTIVE)
"""The fields that either side may receive a value for."""

_ORG = Side.SALESFORCE


def may_write(field_name: str, side: Side) -> bool:
    """True when *side* may receive a value for *field_name*: the owner is the other side, or both own it.

    Raises:
        KeyError: the field has no owner; nothing without an owner is ever written.
    """
    if field_name in (ORG_TAKES if side is _ORG else SERVICE_TAKES):
        return True
    return OWNERS[field_name] is Owner.BOTH


_OF_THE_ORG = {
    "campaign": frozenset(
        {"id", "name", "type", "isactive", "status", "startdate", "enddate", "parentid", "ownerid", "isdeleted"}
    ),
    "campaignmember": frozenset(
        {"id", "campaignid", "leadid", "contactid", "accountid", "name", "firstname", "lastname", "email"}
        | {"hasoptedoutofemail", "hasresponded", "firstrespondeddate", "type", "leadorcontactid"}
    ),
}
"""Standard fields, in small letters, that Salesforce owns or derives, by object."""

_PEOPLE = frozenset({"lead", "contact", "account"})
OPT_OUT_BOX = "HasOptedOutOfEmail"
"""The one field of a lead or contact that is written, and only as a tick."""


def refuse_against_owner(sobject: str, values: AbcMapping[str, Any]) -> None:
    """The same table in the org's own names, for rows that are about to be sent there.

    Raises:
        ValueError: a value that Salesforce owns; of people anything but the ticked opt-out box.
    """
    kind = sobject.lower()
    owned = _OF_THE_ORG.get(kind, frozenset())
    for name, value in values.items():
        if kind in _PEOPLE:
            if name.lower() != OPT_OUT_BOX.lower() or value is not True:
                raise ValueError(f"{sobject}.{name} is owned by salesforce and cannot be written there as {value!r}")
        elif name.lower() in owned:
            raise ValueError(f"{sobject}.{name} is owned by salesforce and cannot be written there")


@dataclass(frozen=True, slots=True)
class Mapping:
    """API names on the Salesforce side. ``""`` switches one off."""

    campaign_auto_sync: str = "PAM__Auto_Sync__c"
    campaign_type: str = "Type"
    campaign_total_members: str = "PAM__Total_Members__c"
    campaign_active_members: str = "PAM__Active_Members__c"
    campaign_inactive_members: str = "PAM__Inactive_Members__c"
    campaign_delivered: str = "PAM__Delivered__c"
    campaign_click_to_open: str = "PAM__Click_to_Open_Rate__c"
    campaign_completion_to_open: str = "PAM__Completion_to_Open_Rate__c"
    campaign_opt_out_direct: str = "PAM__Opt_Out_Direct__c"
    member_level: str = "PAM__Level__c"
    member_reason: str = "PAM__Reason__c"
    member_test_member: str = "PAM__Test_Member__c"
    member_synced: str = "PAM__Synced__c"
    member_active: str = "PAM__Active__c"
    member_opens: str = "PAM__Opens__c"
    member_clicks: str = "PAM__Clicks__c"
    member_completions: str = "PAM__Completions__c"
    member_bounces: str = "PAM__Bounces__c"
    person_test_group: str = "PAM__Test_Group__c"
    person_test_member: str = "PAM__Test_Member__c"
    edition: str = "PAM__Email_Edition__c"
    edition_campaign: str = "PAM__Campaign__c"
    edition_subject: str = "PAM__Subject__c"
    edition_active: str = "PAM__Active__c"
    edition_start_date: str = "PAM__Start_Date__c"
    edition_end_date: str = "PAM__End_Date__c"
    edition_days_delay: str = "PAM__Days_Delay__c"
    edition_external_id: str = "PAM__External_Id__c"
    edition_sent: str = "PAM__Sent__c"
    edition_delivered: str = "PAM__Delivered__c"
    edition_opened: str = "PAM__Opened__c"
    edition_clicked: str = "PAM__Clicked__c"
    edition_completed: str = "PAM__Completed__c"
    edition_bounced: str = "PAM__Bounced__c"
    edition_opted_out: str = "PAM__Opted_Out__c"
    click_through: str = "PAM__Click_Through__c"
    click_campaign: str = "PAM__Campaign__c"
    click_edition: str = "PAM__Email_Edition__c"
    click_url: str = "PAM__Url__c"
    click_hits: str = "PAM__Hits__c"
    click_completion: str = "PAM__Completion__c"
    click_external_id: str = "PAM__External_Id__c"
    history: str = "PAM__Email_History__c"
    history_campaign: str = "PAM__Campaign__c"
    history_edition: str = "PAM__Email_Edition__c"
    history_subject: str = "PAM__Subject__c"
    history_count: str = "PAM__Count__c"
    history_date: str = "PAM__Date__c"
    history_hour: str = "PAM__Hour__c"
    history_external_id: str = "PAM__External_Id__c"

    def __hash__(self) -> int:
        """Of the names that every org has differently: what is made of a mapping is asked for with every row."""
        return hash((self.campaign_type, self.member_synced, self.edition))

    def with_overrides(self, overrides: dict[str, str], *, where: str = "mapping") -> Mapping:
        """A mapping with some names replaced.

        Raises:
            ConfigError: a key is none of ours; the nearest known key is named.
        """
        from difflib import get_close_matches

        known = [item.name for item in fields(self)]
        for key in overrides:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                raise ConfigError(
                    f"unknown mapping name {key!r}",
                    where=where,
                    left_undone="nothing was read or written",
                    remedy=f"did you mean {near[0]!r}?" if near else "see config.example.toml for the known names",
                )
        return replace(self, **overrides)

    @property
    def has_editions(self) -> bool:
        """True when edition rows are kept in the org."""
        return bool(self.edition and self.edition_external_id and self.edition_campaign)


WITHOUT_PACKAGE = Mapping(**{item.name: ("Type" if item.name == "campaign_type" else "") for item in fields(Mapping)})
"""The mapping of an org without the package: editions, markers and statistics stay in service and console."""
