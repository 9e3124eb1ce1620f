"""Operations on campaigns, editions, members, people, test members and the change feed: thin, rules are elsewhere."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sync.embedded.service import bodies, campaigns, editions, feed, members, people, schema, story, wire, wire_story
from sync.embedded.service.instants import iso, plausible
from sync.embedded.service.operation import CURSOR, Call, Operation, Parameter, Result, cursor_of, limit_parameter
from sync.embedded.service.problems import invalid, not_found
from sync.embedded.service.records import CampaignRow, EditionState, HistoryState, LinkState
from sync.embedded.service.service import VERSION, Service
from sync.embedded.service.work import Work
from sync.ids import one_spelling

_HIGHEST = 2_147_483_647
_CAMPAIGN_ID = re.compile(r"[A-Za-z0-9]{18}")
_PERSON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def info(service: Service, call: Call) -> Result:
    """Who answers, and what time it is here."""
    return Result(wire.Info(service.service_id, VERSION, iso(service.clock.now())))


def find_campaign(work: Work, campaign_id: str) -> CampaignRow:
    """A campaign that must be there. Raises Problem 404."""
    campaign = work.campaign(campaign_id)
    if campaign is None:
        raise not_found("campaign", campaign_id)
    return campaign


def read_campaign(conn: Connection, campaign_id: str) -> CampaignRow:
    """The same, without a unit of work."""
    row = conn.execute(select(schema.campaigns).where(schema.campaigns.c.campaign_id == campaign_id)).one_or_none()
    if row is None:
        raise not_found("campaign", campaign_id)
    return CampaignRow.of(row)


def find_edition(work: Work, edition_id: str) -> tuple[EditionState, CampaignRow]:
    """An edition that must be there, with its campaign. Raises Problem 404."""
    edition = work.edition(edition_id)
    if edition is None:
        raise not_found("edition", edition_id)
    return edition, find_campaign(work, edition.campaign_id)


def edition_wire(work: Work, edition: EditionState) -> wire.Edition:
    """An edition as the API shows it now."""
    return edition.wire(find_campaign(work, edition.campaign_id), work.now, has_address=work.has_address)


def get_campaign(conn: Connection, call: Call) -> Result:
    """One header with counts and statistics."""
    return Result(campaigns.shown(conn, [read_campaign(conn, call.path["campaign_id"])])[0])


def put_campaign(work: Work, call: Call) -> Result:
    """Create or change a header."""
    campaign_id = call.path["campaign_id"]
    if _CAMPAIGN_ID.fullmatch(campaign_id) is None:
        raise invalid("/campaign_id", "a campaign id is Salesforce's, 18 letters and digits")
    created = campaigns.put(work, campaign_id, call.body)
    work.flush()
    return Result(campaigns.shown(work.conn, [find_campaign(work, campaign_id)])[0], 201 if created else 200)


def list_campaigns(conn: Connection, call: Call) -> Result:
    """Headers in id order."""
    items, after = campaigns.page(conn, call.after_text(), call.limit(500, 2000))
    return Result(wire.CampaignPage(items, cursor_of(after)))


def list_editions(service: Service, call: Call) -> Result:
    """A campaign's editions in slot order."""
    with service.read() as conn:
        campaign = read_campaign(conn, call.path["campaign_id"])
        table = schema.editions
        after = call.after()
        limit = call.limit(500, 2000)
        query = select(table).where(table.c.campaign_id == campaign.campaign_id).order_by(table.c.slot)
        if after is not None:
            if not isinstance(after, int) or abs(after) > _HIGHEST:
                raise invalid("/cursor", "this is not a cursor of this list", "cursor_invalid")
            query = query.where(table.c.slot > after)
        rows = [EditionState(*row) for row in conn.execute(query.limit(limit + 1))]
    now = service.clock.now()
    items = [row.wire(campaign, now, has_address=service.has_address) for row in rows[:limit]]
    return Result(wire.EditionPage(items, cursor_of(items[-1].slot if len(rows) > limit else None)))


def get_edition(service: Service, call: Call) -> Result:
    """One edition."""
    with service.read() as conn:
        table = schema.editions
        row = conn.execute(select(table).where(table.c.edition_id == call.path["edition_id"])).one_or_none()
        if row is None:
            raise not_found("edition", call.path["edition_id"])
        edition = EditionState(*row)
        campaign = read_campaign(conn, edition.campaign_id)
    return Result(edition.wire(campaign, service.clock.now(), has_address=service.has_address))


def post_editions(work: Work, call: Call) -> Result:
    """Create editions by the campaign's type."""
    campaign = find_campaign(work, call.path["campaign_id"])
    made, created = editions.create(work, campaign, call.body.operation)
    return Result(wire.EditionsCreated([edition_wire(work, edition) for edition in made], created), 201)


def patch_edition(work: Work, call: Call) -> Result:
    """Change content, active, dates, delay, window."""
    edition, _ = find_edition(work, call.path["edition_id"])
    editions.patch(work, edition, call.body)
    return Result(edition_wire(work, edition))


def list_members(conn: Connection, call: Call) -> Result:
    """Members in person-id order."""
    campaign = read_campaign(conn, call.path["campaign_id"])
    items, after = members.page(conn, campaign.campaign_id, call.after_text(), call.limit(2000, 10_000))
    return Result(wire.MemberPage(items, cursor_of(after)))


def batch_members(work: Work, call: Call) -> Result:
    """Up to 5,000 upserts and deletes."""
    campaign = find_campaign(work, call.path["campaign_id"])
    return Result(wire.Outcomes(members.batch(work, campaign, call.body.rows)))


def put_test_members(work: Work, call: Call) -> Result:
    """The whole list of global test members."""
    return Result(members.set_test_members(work, call.body.items))


def get_test_members(conn: Connection, call: Call) -> Result:
    """The global test members."""
    return Result(wire.TestMemberList(members.list_test_members(conn)))


def member_story(service: Service, call: Call) -> Result:
    """What happened to a member, and why each edition is mailed to it or is not."""
    person_id = _person(call)
    at = _instant_of(call) or service.clock.now()
    with service.read() as conn:
        campaign = read_campaign(conn, call.path["campaign_id"])
        now = story.Sending(at, service.has_address, service.hourly_limit)
        return Result(story.tell(conn, campaign, person_id, now))


def _instant_of(call: Call) -> datetime | None:
    text = call.query.get("at")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid("/at", "at is an ISO 8601 instant") from error
    if at.tzinfo is None or not plausible(at):
        raise invalid("/at", "the instant needs a time zone and must be between 1970 and 2200")
    return at


def get_changes(conn: Connection, call: Call) -> Result:
    """The feed after a cursor."""
    cursor = call.query.get("cursor")
    return Result(feed.read(conn, cursor, call.limit(2000, 5000), call.query.get("exclude_client")))


def opt_out(work: Work, call: Call) -> Result:
    """Opt a person out."""
    person_id = _person(call)
    return Result(wire.Affected(person_id, people.opt_out(work, person_id, call.body)))


def opt_in(work: Work, call: Call) -> Result:
    """Opt a person in."""
    person_id = _person(call)
    return Result(wire.Affected(person_id, people.opt_in(work, person_id, call.body)))


def _person(call: Call) -> str:
    person_id = call.path["person_id"]
    if _PERSON_ID.fullmatch(person_id) is None:
        raise invalid("/person_id", "a person id has 1 to 64 letters, digits, - or _")
    return one_spelling(person_id)


def list_click_throughs(conn: Connection, call: Call) -> Result:
    """Pages clicked from a campaign's editions."""
    campaign = read_campaign(conn, call.path["campaign_id"])
    table, limit, after = schema.links, call.limit(2000, 10_000), call.after_text()
    query = select(table).where(table.c.campaign_id == campaign.campaign_id, table.c.hits > 0)
    if after is not None:
        query = query.where(table.c.click_id > after)
    rows = [LinkState(*row) for row in conn.execute(query.order_by(table.c.click_id).limit(limit + 1))]
    items = [row.wire() for row in rows[:limit]]
    return Result(wire.ClickThroughPage(items, cursor_of(items[-1].click_id if len(rows) > limit else None)))


def list_history(conn: Connection, call: Call) -> Result:
    """Mails sent by edition, date and hour."""
    campaign = read_campaign(conn, call.path["campaign_id"])
    table, limit, after = schema.history, call.limit(2000, 10_000), call.after_text()
    query: Any = select(table).where(table.c.campaign_id == campaign.campaign_id)
    if after is not None:
        query = query.where(table.c.history_id > after)
    rows = [HistoryState(*row) for row in conn.execute(query.order_by(table.c.history_id).limit(limit + 1))]
    items = [row.wire() for row in rows[:limit]]
    return Result(wire.HistoryPage(items, cursor_of(items[-1].history_id if len(rows) > limit else None)))


_C, _E = "/v1/campaigns/{campaign_id}", "/v1/editions/{edition_id}"
_FEED_CURSOR = Parameter("cursor", {"type": "string"}, '`next` of before; absent = the beginning; "head" = now\'s end.')
_EXCLUDE = Parameter("exclude_client", {"type": "string"}, "Leave out what this client wrote itself.")

_AT = Parameter("at", {"type": "string", "format": "date-time"}, "The instant to judge sending at; absent = now.")

OPERATIONS: tuple[Operation, ...] = (
    Operation("info", "GET", "/v1/info", "own", info, wire.Info, "Who answers, and the service's time."),
    Operation("list_campaigns", "GET", "/v1/campaigns", "read", list_campaigns, wire.CampaignPage,
              "Headers with counts and statistics.", query=(CURSOR, limit_parameter(500, 2000)), refusals=(422,)),
    Operation("get_campaign", "GET", _C, "read", get_campaign, wire.Campaign, "A header.", refusals=(404,)),
    Operation("put_campaign", "PUT", _C, "write", put_campaign, wire.Campaign, "Create or change a header.",
              request=bodies.CampaignPut, statuses=(200, 201), refusals=(400, 409, 422)),
    Operation("list_editions", "GET", _C + "/editions", "own", list_editions, wire.EditionPage,
              "A campaign's editions.", query=(CURSOR, limit_parameter(500, 2000)), refusals=(404, 422)),
    Operation("post_editions", "POST", _C + "/editions", "write", post_editions, wire.EditionsCreated,
              "Create editions by the campaign's type, keyed by operation and slot.", request=bodies.EditionsPost,
              statuses=(201,), refusals=(400, 404, 409, 422)),
    Operation("get_edition", "GET", _E, "own", get_edition, wire.Edition, "An edition.", refusals=(404,)),
    Operation("patch_edition", "PATCH", _E, "write", patch_edition, wire.Edition, "Change an edition.",
              request=bodies.EditionPatch, refusals=(400, 404, 409, 422)),
    Operation("list_members", "GET", _C + "/members", "read", list_members, wire.MemberPage, "Members, by person id.",
              query=(CURSOR, limit_parameter(2000, 10_000)), refusals=(404, 422)),
    Operation("member_story", "GET", _C + "/members/{person_id}/story", "own", member_story, wire_story.MemberStory,
              "One member: mails, record, and why each edition is mailed or not.", query=(_AT,), refusals=(404, 422)),
    Operation("batch_members", "POST", _C + "/members:batch", "write", batch_members, wire.Outcomes,
              "Write and delete up to 5,000 members.", request=bodies.MembersBatch, refusals=(400, 404, 409, 422)),
    Operation("put_test_members", "PUT", "/v1/test-members", "write", put_test_members, wire.TestMembersSet,
              "Set the org's global test members.", request=bodies.TestMembersPut, refusals=(400, 409, 422)),
    Operation("get_test_members", "GET", "/v1/test-members", "read", get_test_members, wire.TestMemberList,
              "The org's global test members."),
    Operation("get_changes", "GET", "/v1/changes", "read", get_changes, wire.ChangePage,
              "The change feed: commit order, whole values, at least once.",
              query=(_FEED_CURSOR, limit_parameter(2000, 5000), _EXCLUDE), refusals=(410, 422)),
    Operation("opt_out", "POST", "/v1/people/{person_id}:opt-out", "write", opt_out, wire.Affected,
              "Opt a person out, everywhere or in one campaign.", request=bodies.OptOutPost,
              refusals=(400, 404, 409, 422)),
    Operation("opt_in", "POST", "/v1/people/{person_id}:opt-in", "write", opt_in, wire.Affected,
              "Opt a person in again, from an edition on.", request=bodies.OptInPost, refusals=(400, 404, 409, 422)),
    Operation("list_click_throughs", "GET", _C + "/click-throughs", "read", list_click_throughs,
              wire.ClickThroughPage, "Pages clicked.", query=(CURSOR, limit_parameter(2000, 10_000)),
              refusals=(404, 422)),
    Operation("list_history", "GET", _C + "/history", "read", list_history, wire.HistoryPage,
              "Mails by edition, date and hour.", query=(CURSOR, limit_parameter(2000, 10_000)), refusals=(404, 422)),
)  # fmt: skip
