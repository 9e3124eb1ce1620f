"""The Predictive service behind the ``Service`` port: requests to ``/v1``, problem details as our errors.

Every write carries an idempotency key, so it may be repeated after an answer was lost: the service gives the first
answer again. The client names itself, so that the change feed can leave out what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from sync.errors import NotWhatItShouldBe, OutcomeUnknown, RemoteRejected, WrongCredentials
from sync.http.calls import Reply, Safety
from sync.http.channel import Budget, Channel, Secret, Session
from sync.http.transport import Transport
from sync.ids import CampaignId, EditionId, PersonId
from sync.model import Campaign, ClickThrough, Edition, HistoryHour, PersonKind, ServiceMember, Side, TestPerson
from sync.ports import (
    CampaignStats,
    Changes,
    CursorExpired,
    MemberOutcome,
    MemberWrite,
    Prepared,
    Released,
    SendFate,
    ServiceIdentity,
)
from sync.predictive import decode, decode_story
from sync.story import ServiceStory
from sync.words import plural

NAME = "the Predictive service"
MEMBERS_PER_PAGE = 10_000
ROWS_PER_BATCH = 5_000
CHANGES_PER_PAGE = 5_000
ROWS_PER_LIST = 2_000

Shape = TypeVar("Shape")


class PredictiveService:
    """Implements ``sync.ports.Service``.

    Args:
        transport: the shared one.
        base_url: the service's address.
        token: bearer token.
        client: this client's id, the same for all processes that share a state.
        budget: of repeats.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        token: Secret,
        client: str,
        budget: Budget | None = None,
    ) -> None:
        session = Session(token.reveal(), None, remedy="give the service's present token")
        self._client = client
        self._channel = Channel(
            transport, Side.PREDICTIVE, base_url, NAME, session=session, budget=budget, busy=_in_progress
        )

    # -------------------------------------------------------- campaigns

    def identity(self) -> ServiceIdentity:
        """See ``Service.identity``."""
        info = self._read("/v1/info", decode.INFO, "info")
        return ServiceIdentity(info.service_id, info.version, info.time)

    def list_campaigns(self) -> tuple[CampaignStats, ...]:
        """See ``Service.list_campaigns``."""
        return tuple(row.value() for row in self._listing("/v1/campaigns", decode.CAMPAIGNS, "campaigns"))

    def put_campaign(self, campaign: Campaign, *, status_on: Mapping[str, str], time_zone: str, key: str) -> None:
        """See ``Service.put_campaign``."""
        body: dict[str, Any] = {
            "name": campaign.name,
            "status": campaign.status,
            "is_active": campaign.is_active,
            "start_date": campaign.start_date,
            "end_date": campaign.end_date,
            "time_zone": time_zone,
            "deleted": campaign.is_deleted,
            "statuses": [
                {
                    "label": label.label,
                    "is_default": label.is_default,
                    "has_responded": label.has_responded,
                    "sort_order": label.sort_order,
                }
                for label in campaign.labels
            ],
            "status_on": dict(status_on),
        }
        if campaign.type is not None:
            body["type"] = campaign.type.value
        self._write("PUT", f"/v1/campaigns/{quote(campaign.id)}", body, key, decode.CAMPAIGN, "campaign")

    # -------------------------------------------------------- editions

    def editions(self, campaign_id: CampaignId) -> tuple[Edition, ...]:
        """See ``Service.editions``."""
        rows = self._listing(f"/v1/campaigns/{quote(campaign_id)}/editions", decode.EDITIONS, "editions")
        return tuple(sorted((row.value() for row in rows), key=lambda edition: edition.slot))

    def create_editions(self, campaign_id: CampaignId, operation: str) -> tuple[tuple[Edition, ...], int]:
        """See ``Service.create_editions``. The operation is the idempotency key."""
        path = f"/v1/campaigns/{quote(campaign_id)}/editions"
        made = self._write("POST", path, {"operation": operation}, f"editions-{operation}", decode.MADE, "editions")
        return tuple(row.value() for row in made.items), made.created

    def patch_edition(self, edition_id: EditionId, fields: Mapping[str, Any], *, key: str) -> Edition:
        """See ``Service.patch_edition``."""
        path = f"/v1/editions/{quote(edition_id)}"
        return self._write("PATCH", path, dict(fields), key, decode.EDITION, "edition").value()

    def test_send(self, edition_id: EditionId, *, key: str) -> tuple[int, tuple[str, ...], Edition]:
        """See ``Service.test_send``."""
        path = f"/v1/editions/{quote(edition_id)}/test-send"
        sent = self._write("POST", path, {}, key, decode.TEST_SENT, "test-send")
        return sent.sent, tuple(sent.recipients), sent.edition.value()

    # -------------------------------------------------------- members

    def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[ServiceMember, ...]]:
        """See ``Service.read_members``."""
        path = f"/v1/campaigns/{quote(campaign_id)}/members"
        for rows in self._pages(path, decode.MEMBERS, "members", MEMBERS_PER_PAGE):
            yield tuple(row.value() for row in rows)

    def write_members(
        self, campaign_id: CampaignId, rows: Sequence[MemberWrite], *, key: str
    ) -> tuple[MemberOutcome, ...]:
        """See ``Service.write_members``.

        Raises:
            ValueError: more than 5,000 rows.
            OutcomeUnknown: no usable answer came, also to repeats with the same key.
        """
        if len(rows) > ROWS_PER_BATCH:
            raise ValueError(f"at most {ROWS_PER_BATCH} rows in a request, not {len(rows)}")
        if not rows:
            return ()
        path = f"/v1/campaigns/{quote(campaign_id)}/members:batch"
        body = {"rows": [_row(one) for one in rows]}
        answer = self._write("POST", path, body, key, decode.OUTCOMES, "members")
        if len(answer.outcomes) != len(rows):
            raise OutcomeUnknown(
                f"{NAME} took {plural(len(rows), 'row')} and answered {plural(len(answer.outcomes), 'outcome')}",
                where=self._channel.base_url + path,
                left_undone="it is not known what was written",
                remedy="the members are read before they are written again",
            )
        return tuple(_outcome(row, found) for row, found in zip(rows, answer.outcomes, strict=True))

    def put_test_members(self, people: Sequence[TestPerson], *, key: str) -> int:
        """See ``Service.put_test_members``."""
        items = [
            {
                "person_id": person.person_id,
                "kind": person.kind.value,
                "email": person.email,
                "first_name": person.first_name,
                "last_name": person.last_name,
            }
            for person in people
        ]
        return self._write("PUT", "/v1/test-members", {"items": items}, key, decode.TEST_MEMBERS, "test-members").count

    def opt_out(self, person_id: PersonId, reason: str | None, *, key: str) -> None:
        """See ``Service.opt_out``."""
        body: dict[str, Any] = {"scope": "global"}
        if reason is not None:
            body["reason"] = reason
        self._write("POST", f"/v1/people/{quote(person_id)}:opt-out", body, key, decode.ANYTHING, "people")

    def opt_in(
        self, person_id: PersonId, campaign_id: CampaignId, edition_id: EditionId, reason: str, *, key: str
    ) -> tuple[CampaignId, ...]:
        """See ``Service.opt_in``."""
        body = {"reason": reason, "campaign_id": campaign_id, "from_edition": edition_id}
        path = f"/v1/people/{quote(person_id)}:opt-in"
        answer = self._write("POST", path, body, key, decode_story.AFFECTED, "people")
        return tuple(CampaignId(each) for each in answer.affected)

    def story(self, campaign_id: CampaignId, person_id: PersonId) -> ServiceStory:
        """See ``Service.story``."""
        path = f"/v1/campaigns/{quote(campaign_id)}/members/{quote(person_id)}/story"
        return self._read(path, decode_story.STORY, "member").value()

    # -------------------------------------------------------- the feed

    def head(self) -> str:
        """See ``Service.head``."""
        return self._read("/v1/changes?cursor=head", decode.CHANGES, "changes").next

    def changes(self, cursor: str) -> Changes:
        """See ``Service.changes``."""
        query = {"limit": CHANGES_PER_PAGE, "exclude_client": self._client}
        if cursor:
            query["cursor"] = cursor
        path = f"/v1/changes?{urlencode(query)}"
        reply = self._channel.call("GET", path, safety=Safety.READ, headers=self._headers(), resource="changes")
        if reply.status == 410:
            raise CursorExpired(f"the change feed no longer goes back to {cursor!r}")
        page = self._decoded(reply, decode.CHANGES)
        return self._shaped(reply, lambda: _changes(page))

    def click_throughs(self, campaign_id: CampaignId) -> tuple[ClickThrough, ...]:
        """See ``Service.click_throughs``."""
        path = f"/v1/campaigns/{quote(campaign_id)}/click-throughs"
        return tuple(row.value() for row in self._listing(path, decode.CLICKS, "click-throughs"))

    def history(self, campaign_id: CampaignId) -> tuple[HistoryHour, ...]:
        """See ``Service.history``."""
        path = f"/v1/campaigns/{quote(campaign_id)}/history"
        return tuple(row.value() for row in self._listing(path, decode.HISTORY, "history"))

    # -------------------------------------------------------- sending

    def prepare(
        self, at: datetime | None, campaigns: Sequence[CampaignId] | None, *, dry_run: bool, key: str
    ) -> Prepared:
        """See ``Service.prepare``."""
        body = {"at": at, "campaigns": list(campaigns) if campaigns is not None else None, "dry_run": dry_run}
        return self._write("POST", "/v1/sends:prepare", body, key, decode.PREPARED, "sends").value()

    def release(self, send_id: str, expected: int, *, key: str) -> Released:
        """See ``Service.release``."""
        path = f"/v1/sends/{quote(send_id)}:release"
        return self._write("POST", path, {"expected": expected}, key, decode.RELEASED, "sends").value()

    def send_fate(self, send_id: str) -> SendFate:
        """See ``Service.send_fate``."""
        return self._read(f"/v1/sends/{quote(send_id)}", decode.SEND, "sends").value()

    # -------------------------------------------------------- requests

    def _headers(self, key: str | None = None) -> dict[str, str]:
        headers = {"Predictive-Client": self._client}
        if key is not None:
            headers["Idempotency-Key"] = key
        return headers

    def _read(self, path: str, decoder: msgspec.json.Decoder[Shape], resource: str) -> Shape:
        reply = self._channel.call("GET", path, safety=Safety.READ, headers=self._headers(), resource=resource)
        return self._decoded(reply, decoder)

    def _write(
        self, method: str, path: str, body: Any, key: str, decoder: msgspec.json.Decoder[Shape], resource: str
    ) -> Shape:
        reply = self._channel.call(
            method,
            path,
            safety=Safety.KEYED,
            content=msgspec.json.encode(body),
            headers=self._headers(key),
            resource=resource,
        )
        return self._decoded(reply, decoder)

    def _pages(self, path: str, decoder: Any, resource: str, limit: int) -> Iterator[list[Any]]:
        cursor: str | None = None
        while True:
            query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
            page = self._read(f"{path}?{urlencode(query)}", decoder, resource)
            if page.items:
                yield page.items
            if not page.next:
                return
            cursor = page.next

    def _listing(self, path: str, decoder: Any, resource: str) -> Iterator[Any]:
        for rows in self._pages(path, decoder, resource, ROWS_PER_LIST):
            yield from rows

    def _decoded(self, reply: Reply, decoder: msgspec.json.Decoder[Shape]) -> Shape:
        if not reply.ok:
            raise self._problem(reply)
        return self._shaped(reply, lambda: decoder.decode(reply.content))

    def _shaped(self, reply: Reply, decoded: Callable[[], Shape]) -> Shape:
        try:
            return decoded()
        except (msgspec.DecodeError, KeyError, ValueError) as problem:
            raise self._foreign(reply, str(problem)) from problem

    def _problem(self, reply: Reply) -> Exception:
        try:
            problem = decode.PROBLEM.decode(reply.content)
        except msgspec.DecodeError as error:
            return self._foreign(reply, str(error))
        if not problem.code and not problem.title:
            return self._foreign(reply, f"status {reply.status} without problem details")
        if reply.status == 403:
            return WrongCredentials(
                f"{NAME} refused access: {problem.detail or problem.title}",
                where=reply.url,
                left_undone="nothing was written",
                remedy="give a token with the needed rights",
            )
        what = problem.detail or problem.title
        details = "; ".join(_detail(one, what) for one in problem.errors or [])
        return RemoteRejected(
            f"{NAME} refused a request: {what}" + (f" ({details})" if details else ""),
            code=problem.code,
            where=reply.url,
            left_undone="nothing was written",
        )

    def _foreign(self, reply: Reply, detail: str) -> NotWhatItShouldBe:
        return NotWhatItShouldBe(
            f"the answer is not one of {NAME}: {detail}",
            where=reply.url,
            left_undone="nothing was read",
            remedy="check the service's address",
        )


def _in_progress(reply: Reply) -> bool:
    """True when the first request with the same key is still being worked on."""
    if reply.status != 409:
        return False
    try:
        return decode.PROBLEM.decode(reply.content).code == "idempotency_in_progress"
    except msgspec.DecodeError:
        return False


def _detail(error: Any, said: str) -> str:
    """One of the errors of a problem, without what was *said* already."""
    if isinstance(error, Mapping):
        return " ".join(str(value) for value in error.values() if value != said)
    return str(error)


def _row(write: MemberWrite) -> dict[str, Any]:
    """A row of ``members:batch``; absent fields are kept, None clears."""
    row: dict[str, Any] = {"op": "delete" if write.delete else "upsert"}
    if write.kind is PersonKind.CONTACT:
        row["contact_id"] = write.person_id
        if write.lead_id:
            row["lead_id"] = write.lead_id
    else:
        row["lead_id"] = write.person_id
    if write.was:
        row["was"] = write.was
    if write.member_id:
        row["member_id"] = write.member_id
    if write.fields and not write.delete:
        row["fields"] = dict(write.fields)
    if write.if_version is not None:
        row["if_version"] = write.if_version
    return row


def _outcome(write: MemberWrite, row: decode.OutcomeRow) -> MemberOutcome:
    return MemberOutcome(
        key=write.key,
        person_id=PersonId(row.person_id) if row.person_id else write.person_id,
        outcome=row.outcome,
        version=row.version,
        active=row.active,
        reason=row.reason,
        level=row.level,
        status=row.status,
        error=row.error,
    )


def _changes(page: decode.ChangePage) -> Changes:
    """A page of the feed, sorted by type; of several values of one record the last is kept, the feed being in order."""
    members: dict[tuple[str, str], ServiceMember] = {}
    removed: dict[tuple[str, str], tuple[CampaignId, PersonId]] = {}
    people: dict[str, decode.PersonRow] = {}
    editions: dict[str, Edition] = {}
    clicks: dict[str, ClickThrough] = {}
    history: dict[str, HistoryHour] = {}
    for change in page.items:
        if change.type == "member":
            gone = decode.GONE_DATA.decode(change.data)
            place = (gone.campaign_id, gone.person_id)
            if change.op == "delete":
                members.pop(place, None)
                removed[place] = (CampaignId(gone.campaign_id), PersonId(gone.person_id))
            else:
                removed.pop(place, None)
                members[place] = decode.MEMBER_DATA.decode(change.data).value()
        elif change.type == "person":
            person = decode.PERSON_DATA.decode(change.data)
            # An opt-out of one campaign is in that member's row; the box in the org means all campaigns.
            if person.scope == "global":
                people[person.person_id] = person
        elif change.type == "edition" and change.op == "upsert":
            edition = decode.EDITION.decode(change.data).value()
            editions[edition.id] = edition
        elif change.type == "click_through" and change.op == "upsert":
            click = decode.CLICK_DATA.decode(change.data).value()
            clicks[click.id] = click
        elif change.type == "history" and change.op == "upsert":
            hour = decode.HISTORY_DATA.decode(change.data).value()
            history[hour.id] = hour
    return Changes(
        members=tuple(members.values()),
        removed=tuple(removed.values()),
        people=tuple(person.value() for person in people.values()),
        editions=tuple(editions.values()),
        click_throughs=tuple(clicks.values()),
        history=tuple(history.values()),
        cursor=page.next,
        more=page.more,
    )
