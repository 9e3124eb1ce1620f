"""The type of a campaign is fixed once it has editions: they were made by it, and the service keeps it.

Imports the store and values. A type changed afterwards in Salesforce refuses the campaign's sync until it is set back;
the hourly run goes on under the old type, so that dates, deletion and the active flag still reach the service.
"""

from __future__ import annotations

from dataclasses import replace

from sync.engine.parts import Parts
from sync.guard import TYPE
from sync.model import Campaign, CampaignType
from sync.plan import GuardVerdict
from sync.rules import Rule

_BY_ROLE = {"scheduled": CampaignType.SCHEDULED, "drip": CampaignType.DRIP}


def type_of_editions(parts: Parts, campaign: Campaign) -> CampaignType | None:
    """The type by which the campaign's editions were made; None while it has none."""
    editions = parts.store.content.editions(campaign.id)
    if not editions or Rule.FIXED_TYPE not in parts.rules:
        return None
    return _BY_ROLE.get(editions[0].role, CampaignType.ADAPTIVE)


def with_its_type(parts: Parts, campaign: Campaign) -> Campaign:
    """The campaign's header with the type that its editions have."""
    fixed = type_of_editions(parts, campaign)
    return campaign if fixed is None or campaign.type is fixed else replace(campaign, type=fixed)


def type_verdict(parts: Parts, campaign: Campaign) -> GuardVerdict | None:
    """The refusal of a campaign whose type was changed; nothing lets it pass but setting the type back."""
    fixed = type_of_editions(parts, campaign)
    if fixed is None or campaign.type is fixed:
        return None
    now = campaign.type.value if campaign.type else campaign.type_label or "empty"
    return GuardVerdict(
        rule=TYPE,
        passed=False,
        figure=1,
        limit=0,
        text=f"{campaign.name}: its type is {now} in Salesforce and its editions were made as {fixed.value}. "
        "To go on: set the type back in Salesforce, or make a new campaign of the other type",
        campaign_id=campaign.id,
    )
