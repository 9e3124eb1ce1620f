"""What a test plants among an org's own rules: validation rules, locks on records, failing rows."""

from __future__ import annotations

from typing import Any

import pytest

from sync.embedded.org.state import RowFault, ValidationRule
from tests.embedded.org.conftest import Api


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ({"field": "Title", "test": "blank"}, [None, ""]),
        ({"field": "Title", "test": "filled"}, ["Boss", "Clerk 7", "chief"]),
        ({"field": "Title", "test": "contains", "equals": "ss"}, ["Boss"]),
        ({"field": "Title", "test": "starts", "equals": "Cl"}, ["Clerk 7"]),
        ({"field": "Title", "test": "matches", "equals": "[0-9]|^c"}, ["Clerk 7", "chief"]),
        ({"field": "Title", "test": "differs", "equals": "Boss"}, [None, "", "Clerk 7", "chief"]),
        ({"field": "Title", "equals": "Boss", "operation": "update"}, []),
    ],
)
def test_rules_refuse_what_they_say(api: Api, rule: dict[str, Any], refused: list[str | None]) -> None:
    api.built.org.state.rules.append(ValidationRule(object="Lead", message="Not so.", **rule))
    rows = [{"LastName": "x", "Company": "y", "Title": title} for title in (None, "", "Boss", "Clerk 7", "chief")]
    found = api.collection("POST", rows, "Lead")
    assert [r["Title"] for r, answer in zip(rows, found, strict=True) if not answer["success"]] == refused
    assert {a["errors"][0]["statusCode"] for a in found if a["errors"]} <= {"FIELD_CUSTOM_VALIDATION_EXCEPTION"}


def test_numbers_and_unknown_tests(api: Api) -> None:
    rule = ValidationRule("CampaignMember", "PAM__Opens__c", 10, "Too many.", test="above", code="CUSTOM_ERROR")
    api.built.org.state.rules.append(rule)
    members = [r["Id"] for r in api.rows("SELECT Id FROM CampaignMember LIMIT 2")]
    rows = [{"id": members[0], "PAM__Opens__c": 10}, {"id": members[1], "PAM__Opens__c": 11}]
    good, bad = api.collection("PATCH", rows)
    assert good["success"]
    assert (bad["errors"][0]["statusCode"], bad["errors"][0]["fields"]) == ("CUSTOM_ERROR", ["PAM__Opens__c"])
    with pytest.raises(ValueError, match="test is one of"):
        ValidationRule("Lead", "Title", test="nonsense")


def test_a_lock_on_a_campaign_reaches_its_members_only(api: Api) -> None:
    locked, free, leads = api.campaign(), api.campaign(Name="Free"), api.people(3)
    fault = RowFault("CampaignMember", "UNABLE_TO_LOCK_ROW", "locked", times=None, ids=frozenset({locked[:15]}))
    api.built.org.state.row_faults.append(fault)
    rows = [{"CampaignId": c, "LeadId": lead} for c, lead in zip((locked, free, locked), leads, strict=True)]
    assert [r["success"] for r in api.collection("POST", rows)] == [False, True, False]
    api.built.org.state.row_faults.clear()
    member = api.collection("POST", rows[:1])[0]["id"]
    api.built.org.state.row_faults.append(fault)
    assert api.error("PATCH", f"/sobjects/CampaignMember/{member}", 400, json={"Status": "Sent"})[1] == "locked"
    assert api.error("DELETE", f"/sobjects/CampaignMember/{member}", 400)[0] == "UNABLE_TO_LOCK_ROW"


def test_a_share_of_rows_fails_repeatably(api: Api) -> None:
    def failed() -> list[int]:
        fault = RowFault("Lead", "UNABLE_TO_LOCK_ROW", "locked", times=None, probability=0.3, seed=4)
        api.built.org.state.row_faults[:] = [fault]
        rows = api.collection("POST", [{"LastName": str(n), "Company": "c"} for n in range(50)], "Lead")
        return [n for n, row in enumerate(rows) if not row["success"]]

    first = failed()
    assert 5 <= len(first) <= 25
    assert failed() == first
