"""Members counted from kept tallies and counted one by one are the same, whatever was done to them."""

from __future__ import annotations

import random

import pytest

from sync.embedded.org.soql_compile import compile_query
from sync.embedded.org.soql_parse import parse
from sync.embedded.org.soql_tally import rewritten
from tests.embedded.org.conftest import Api, make_api

PERSONS = "(LeadId != null OR ContactId != null)"
COUNTS = (
    "SELECT CampaignId, COUNT(Id) n, COUNT(LeadId) l, COUNT(ContactId) c, MAX(SystemModstamp) s FROM CampaignMember"
)
KEPT = (
    (
        f"{COUNTS} WHERE {PERSONS} AND Campaign.PAM__Auto_Sync__c = true AND Campaign.IsActive = true "
        "GROUP BY CampaignId ORDER BY CampaignId LIMIT 2000"
    ),
    f"{COUNTS} GROUP BY CampaignId ORDER BY CampaignId DESC",
    (
        f"SELECT CampaignId, Status, COUNT(Id) n FROM CampaignMember WHERE {PERSONS} "
        "GROUP BY CampaignId, Status ORDER BY CampaignId LIMIT 2000"
    ),
    (
        "SELECT CampaignId, COUNT(Id) n FROM CampaignMember WHERE LeadId = null AND ContactId = null "
        "GROUP BY CampaignId ORDER BY CampaignId"
    ),
    (
        "SELECT CampaignId, COUNT(ContactId) n FROM CampaignMember WHERE Status = 'sent' AND LeadId != null "
        "GROUP BY CampaignId"
    ),
)
COUNTED = (
    "SELECT CampaignId, COUNT(Id) n FROM CampaignMember WHERE HasResponded = true GROUP BY CampaignId",
    f"{COUNTS} WHERE Status = 'Sent' GROUP BY CampaignId",
    "SELECT CampaignId, COUNT(Id) n FROM CampaignMember WHERE Lead.IsConverted = true GROUP BY CampaignId",
    "SELECT CampaignId, MIN(SystemModstamp) n FROM CampaignMember GROUP BY CampaignId",
    "SELECT Status, COUNT(Id) n FROM CampaignMember GROUP BY Status",
)


def both(api: Api, soql: str, *, deleted: bool = False) -> tuple[list[object], list[object] | None]:
    """Rows counted one by one, and rows from the tallies (None where the statement is not answered so)."""
    org = api.built.org
    plain = compile_query(parse(soql), org.view(include_deleted=deleted))
    kept = rewritten(plain)
    with org.store.reading() as connection:
        found = [sorted(connection.execute(one.sql(one.columns, None), one.params)) for one in (plain, kept) if one]
    return found[0], (found[1] if kept is not None else None)


def changed(api: Api, draw: random.Random) -> None:
    """One change to members, as users make it."""
    act = draw.randrange(6)
    members = api.rows("SELECT Id, Status, CampaignId FROM CampaignMember LIMIT 500")
    campaigns = [row["Id"] for row in api.rows("SELECT Id FROM Campaign")]
    if act == 0:
        kind = draw.choice(("Lead", "Contact"))
        (person,) = api.people(1, kind)
        api.create("CampaignMember", CampaignId=draw.choice(campaigns), **{f"{kind}Id": person})
    elif act == 1:
        label = draw.choice(("Sent", "Responded", "registered", "nothing of the kind"))
        api.call("PATCH", f"/sobjects/CampaignMember/{draw.choice(members)['Id']}", 204, json={"Status": label})
    elif act == 2:
        api.call("DELETE", f"/sobjects/CampaignMember/{draw.choice(members)['Id']}", 204)
    elif act == 3:
        lead = draw.choice(api.rows("SELECT Id FROM Lead WHERE IsConverted = false LIMIT 50"))["Id"]
        api.call("DELETE", f"/sobjects/Lead/{lead}", 204)
    elif act == 4:
        api.call("PATCH", f"/sobjects/CampaignMember/{draw.choice(members)['Id']}", 204, json={"PAM__Opens__c": 3})
        api.clock.advance(draw.randrange(100))
    else:
        api.call("DELETE", f"/sobjects/Campaign/{api.campaign()}", 204)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_tallies_are_what_counting_gives(seed: int) -> None:
    api, draw = make_api(campaigns=6, members=20), random.Random(seed)
    for _ in range(40):
        changed(api, draw)
        for soql in KEPT:
            plain, kept = both(api, soql)
            assert kept == plain, soql
    api.built.org.store.close()


def test_what_the_tallies_do_not_hold_is_counted(shared: Api) -> None:
    for soql in KEPT:
        plain, kept = both(shared, soql)
        assert kept == plain, soql
        assert both(shared, soql, deleted=True)[1] is None
    for soql in COUNTED:
        assert both(shared, soql)[1] is None, soql


def test_an_org_whose_file_had_no_tallies_gets_them(api: Api) -> None:
    store = api.built.org.store
    for event in ("insert", "delete", "update"):
        store.writer.execute(f"DROP TRIGGER tally_{event}")
    store.writer.execute("DROP TABLE _tally")
    store.writer.execute("DROP INDEX cm_newest")
    again = type(store)(store.schema, store.path)
    (count,) = again.writer.execute("SELECT sum(N) FROM _tally").fetchone()
    again.close()
    assert count == api.one("SELECT COUNT(Id) n FROM CampaignMember")["n"]
    plain, kept = both(api, KEPT[0])
    assert kept == plain
