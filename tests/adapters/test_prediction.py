"""What writing will cost is said beforehand and is what the org counts: a property over random sizes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.model import OrgMember
from sync.ports import OrgOperation, OrgOutcome, OrgWrite
from sync.salesforce.jobs import Waits
from tests.adapters.conftest import Sides
from tests.measured import measured

SIZES = st.fixed_dictionaries(
    {
        "levels": st.one_of(st.integers(0, 40), st.integers(0, 2_000)),
        "statuses": st.one_of(st.integers(0, 40), st.integers(0, 1_200)),
        "boxes": st.one_of(st.integers(0, 10), st.integers(0, 300)),
        "editions": st.integers(0, 60),
    }
)


class Rows:
    """Members of the sandbox's first campaign, and writes of some of them."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.campaign = sides.first_campaign()
        self.number = 0

    def writes(self, sizes: dict[str, int]) -> list[OrgWrite]:
        self.number += 1
        members: list[OrgMember] = self.sides.members(self.campaign)
        out = [
            OrgWrite(
                f"l{one.member_id}",
                "CampaignMember",
                OrgOperation.UPDATE,
                {"PAM__Opens__c": self.number},
                record_id=one.member_id,
            )
            for one in members[: sizes["levels"]]
        ]
        for one in members[-sizes["statuses"] :] if sizes["statuses"] else ():
            value = "Responded" if one.status == "Sent" else "Sent"
            out.append(
                OrgWrite(
                    f"s{one.member_id}",
                    "CampaignMember",
                    OrgOperation.UPDATE,
                    {"Status": value},
                    record_id=one.member_id,
                    expect={"Status": one.status},
                )
            )
        leads = [one.lead_id for one in members if one.lead_id and not one.contact_id][: sizes["boxes"]]
        out += [
            OrgWrite(f"b{lead}", "Lead", OrgOperation.UPDATE, {"HasOptedOutOfEmail": True}, record_id=lead)
            for lead in leads
        ]
        out += [
            OrgWrite(
                f"e{n}",
                "PAM__Email_Edition__c",
                OrgOperation.UPSERT,
                {"Name": f"E {n}", "PAM__Campaign__c": self.campaign.id},
                external_field="PAM__External_Id__c",
                external_id=f"property-{n}",
            )
            for n in range(sizes["editions"])
        ]
        return out

    def check(self, sizes: dict[str, int]) -> None:
        """Write them and hold the count against what was said."""
        writes = self.writes(sizes)
        org = self.sides.new_org(waits=Waits(per_row=0.0, least=0.2))
        predicted, least = measured(org.meter(), writes)
        before, outcomes = self.sides.spent(), list[OrgOutcome]()
        org.write(
            writes,
            before=lambda _rows: None,
            after=lambda _rows, found: outcomes.extend(found),
            cancelled=lambda: False,
        )
        spent = self.sides.spent() - before
        assert abs(spent - predicted) <= 1, (sizes, spent, predicted)
        assert least <= spent, (sizes, spent, least)
        assert sorted(one.key for one in outcomes) == sorted(write.key for write in writes)
        assert {one.state for one in outcomes} <= {"written"}, [one for one in outcomes if one.state != "written"][:2]


@pytest.fixture
def rows(sides: Sides) -> Rows:
    return Rows(sides)


RULES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=RULES)
@given(SIZES)
def test_the_orgs_own_count_is_what_was_predicted(rows: Rows, sizes: dict[str, int]) -> None:
    rows.check(sizes)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=RULES)
@given(SIZES)
def test_the_orgs_own_count_is_what_was_predicted_over_many_sizes(rows: Rows, sizes: dict[str, int]) -> None:
    rows.check(sizes)
