"""The ownership table is data and is enforced: a write against the owner cannot be built, in our names or the org's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.codec import decode_row, encode_row
from sync.ids import CampaignId
from sync.mapping import OWNERS, Owner
from sync.model import Side
from sync.plan import Change, PlanRow, Subject
from sync.ports import OrgOperation, OrgWrite

sides = st.sampled_from(list(Side))
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5)


def row(field: str, side: Side, change: Change, before: Any, after: Any) -> PlanRow:
    return PlanRow(
        1, side, CampaignId("701"), Subject.MEMBER, "00Q", "Ada", change, field, before, after, "why", "rule"
    )


@given(st.sampled_from(sorted(OWNERS)), sides, st.sampled_from(list(Change)), scalars, scalars)
def test_a_row_against_the_owner_cannot_be_built(
    field: str, side: Side, change: Change, before: Any, after: Any
) -> None:
    owner = OWNERS[field]
    against = owner is not Owner.BOTH and owner.value == side.value
    if against:
        with pytest.raises(ValueError, match=f"owned by {owner.value}"):
            row(field, side, change, before, after)
        return
    raw = encode_row(row(field, side, change, before, after))
    if owner is not Owner.BOTH:  # nor does a file bring one in
        other = next(each for each in Side if each is not side)
        turned = raw.replace(f'"side":"{side.value}"'.encode(), f'"side":"{other.value}"'.encode())
        with pytest.raises(ValueError, match="owned by"):
            decode_row(turned)


@given(st.text(min_size=1, max_size=12).filter(lambda name: name not in OWNERS), sides)
def test_what_has_no_owner_is_never_written(field: str, side: Side) -> None:
    with pytest.raises(KeyError):
        row(field, side, Change.STATUS, None, "x")


OWNED = [
    *(("CampaignMember", name) for name in ("FirstName", "lastname", "Email", "HasOptedOutOfEmail", "LeadId", "Id")),
    *(("Campaign", name) for name in ("Name", "IsActive", "StartDate", "EndDate", "Type", "Status")),
    *((person, name) for person in ("Lead", "Contact") for name in ("Email", "LastName", "OwnerId", "Anything__c")),
]


@given(st.sampled_from(OWNED), scalars, st.dictionaries(st.sampled_from(["Status", "PAM__Level__c"]), scalars))
def test_a_write_to_the_org_against_the_owner_cannot_be_built(
    owned: tuple[str, str], value: Any, more: dict[str, Any]
) -> None:
    sobject, name = owned
    beside = more if sobject == "CampaignMember" else {}
    with pytest.raises(ValueError, match="owned by salesforce"):
        OrgWrite("k", sobject, OrgOperation.UPDATE, {**beside, name: value}, record_id="x")


@pytest.mark.parametrize("person", ["Lead", "Contact"])
@given(scalars)
def test_of_people_only_the_opt_out_box_is_written_and_only_as_a_tick(person: str, value: Any) -> None:
    if value is True:
        assert OrgWrite("k", person, OrgOperation.UPDATE, {"HasOptedOutOfEmail": value}, record_id="x").values
    else:
        with pytest.raises(ValueError, match="owned by salesforce"):
            OrgWrite("k", person, OrgOperation.UPDATE, {"HasOptedOutOfEmail": value}, record_id="x")
