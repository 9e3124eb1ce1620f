"""The org behind the ``Org`` port: what to ask in which call, and how answers become our values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain as chain_of
from pathlib import Path
from typing import Any, TypeVar

from sync import packing
from sync.errors import RemoteRejected
from sync.http.calls import Safety
from sync.http.channel import Budget, Channel, Secret, Session
from sync.http.transport import Transport
from sync.ids import CONTACT_PREFIX, CampaignId, MemberId, PersonId, looks_like_id, to18
from sync.locks import NO_LOCKS, Locks
from sync.mapping import Mapping as Names
from sync.metering import WriteMeter
from sync.model import Campaign, JobWait, OrgMember, Side, StatusLabel
from sync.ports import (
    Headers,
    IdRead,
    OrgIdentity,
    OrgOutcome,
    OrgWrite,
    Person,
    Poll,
    PollScope,
    Presence,
)
from sync.salesforce import decode
from sync.salesforce.bulk import Bulk
from sync.salesforce.bulk_query import BulkQuery
from sync.salesforce.composite import CALL_HEADERS, Answers, Composite, Part
from sync.salesforce.decode import Codec, PersonRow, id18
from sync.salesforce.describe import Checked, Kept, check_parts, checked_by, checked_from, kept_text
from sync.salesforce.errors import NO_FIELD, busy, ensure_ok, session_ended
from sync.salesforce.jobs import Paces, Waits
from sync.salesforce.polling import Poller, member_keys
from sync.salesforce.queries import ORGANIZATION, Queries
from sync.salesforce.reader import Chain, Form, Reader
from sync.salesforce.serial import SESSION_HEADERS, Serial
from sync.salesforce.soql import MOST_IDS
from sync.salesforce.writer import Writer

API_VERSION = "66.0"
NAME = "the Salesforce org"

MEMBERS_PER_QUERY = 200
"""Members that one query names: by campaign, person and row, three ids each."""

Value = TypeVar("Value")


def chunks(values: Sequence[Value], size: int) -> Iterator[Sequence[Value]]:
    """*values* in runs of at most *size*."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


class SalesforceOrg:
    """Implements ``sync.ports.Org``.

    Args:
        transport: the shared one.
        instance_url: ``https://…my.salesforce.com``, or the sandbox's plain-http address.
        mapping: API names.
        access_token: a token that is there already.
        login: obtains a token, and a new one when it has ended; see ``sync.salesforce.auth`` and ``oauth``.
        api_version: REST API version.
        auto_sync: campaigns with auto-sync when the org has no field for it.
        test_members: leads and contacts that are global test members when the org has no fields for it.
        budget: of repeats.
        bulk: False keeps all reads and writes in Composites.
        bulk_from: rows still to be read from which a Bulk query reads them.
        waits: for Bulk jobs; by default by where the org is.
        paces: where it is kept how fast the org's Bulk jobs are.
        kept: where the check of the mapping is kept; without it each process asks anew.
        locks: what is known of the org's locks.
        on_locks: told when a job finds out more.
        slow_polls: the org was too slow for a poll in one statement before.
        on_slow_polls: told when it turns out to be.
        folder: where the rows of Bulk jobs wait, in files without a name; the machine's own for such files when None.

    Raises:
        ValueError: neither a token nor a login.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        instance_url: str,
        mapping: Names,
        access_token: Secret | None = None,
        login: Callable[[], str] | None = None,
        api_version: str = API_VERSION,
        auto_sync: Collection[CampaignId] = (),
        test_members: Collection[PersonId] = (),
        budget: Budget | None = None,
        bulk: bool = True,
        bulk_from: int = packing.BULK_READ_FROM,
        waits: Waits | None = None,
        paces: Paces | None = None,
        kept: Kept | None = None,
        locks: Locks = NO_LOCKS,
        on_locks: Callable[[Locks], None] = lambda locks: None,
        slow_polls: bool = False,
        on_slow_polls: Callable[[], None] = lambda: None,
        folder: Path | None = None,
    ) -> None:
        self._session = Session(
            access_token.reveal() if access_token is not None else None,
            login,
            remedy="give a fresh access token, or log in by an External Client App"
            if login is None
            else "check the app and its user, and that the user may use the API",
        )
        channel = Channel(
            transport,
            Side.SALESFORCE,
            instance_url,
            NAME,
            session=self._session,
            budget=budget,
            busy=busy,
            also_in=SESSION_HEADERS,
            expired=session_ended,
        )
        self._channel = channel
        self._composite = Composite(channel, api_version, on_version=self._use_version)
        self._bulk = bulk
        self._jobs = BulkQuery(channel, api_version, waits, paces) if bulk else None
        self._reader = Reader(self._composite, self._jobs, bulk_from=bulk_from)
        self._mapping = mapping
        self._auto_sync = tuple(sorted(auto_sync))
        self._test_members = tuple(sorted(test_members))
        self._kept, self._configured = kept, api_version
        self._checked = checked_from(kept.load(), api_version, mapping) if kept is not None else None
        self._absent = frozenset(self._checked.missing) if self._checked is not None else frozenset()
        self._codec = Codec(mapping, self._absent)
        self._queries = Queries(mapping, self._codec, self._absent, self._auto_sync, self._test_members)
        self._poller = Poller(self, slow_polls, on_slow_polls)
        self._identity: OrgIdentity | None = None
        self._ingest = Bulk(channel, api_version, waits, paces=paces, folder=folder)
        self._serial = Serial(channel, api_version, waits, paces)
        self._writer = Writer(self._composite, self._ingest, self._serial, locks, on_locks, folder)

    def _use_version(self, version: str) -> None:
        self._ingest.use(version)
        self._serial.use(version)
        if self._jobs is not None:
            self._jobs.use(version)

    @property
    def api_version(self) -> str:
        """The API version in use: the configured one, or the one agreed on because the org does not have that."""
        return self._composite.version

    # -------------------------------------------------------- what the parts of the adapter share

    @property
    def reader(self) -> Reader:
        """Pages."""
        return self._reader

    @property
    def composite(self) -> Composite:
        """Calls."""
        return self._composite

    @property
    def codec(self) -> Codec:
        """Rows."""
        return self._codec

    @property
    def queries(self) -> Queries:
        """Statements."""
        return self._queries

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """(object, field) that the mapping names and the org lacks: neither read nor written."""
        return tuple(sorted(self._absent | self._writer.dropped))

    def is_auto_sync(self, campaign_id: CampaignId) -> bool:
        """Whether the configuration, not the org, switches auto-sync on."""
        return campaign_id in self._auto_sync

    def without_missing_fields(self, read: Callable[[], Value]) -> Value:
        """*read*; when the org says that a column is missing, once more without all that a describe does not show."""
        before = self._absent
        try:
            return read()
        except RemoteRejected as error:
            if error.code != NO_FIELD:
                raise
            # The describes may have come along.
            if self._absent <= before and self._check().missing_names <= before:
                raise
            return read()

    def _check(self) -> Checked:
        """Ask the org what it has, in a call of its own."""
        parts = check_parts(self._composite.root, self._mapping)
        return self._take_check(self._composite.send(parts, resource="describe"))

    def check_parts(self) -> list[Part]:
        """Subrequests that bring the check of the mapping along; none when it is known that nothing is wrong."""
        known = self._checked is not None and not self._checked.problems
        return [] if known else check_parts(self._composite.root, self._mapping)

    def take_check(self, answers: Answers) -> None:
        """Keep the check that came along."""
        if "d0" in answers.by_reference:
            self._take_check(answers)

    def _take_check(self, answers: Answers) -> Checked:
        """From here on nothing is asked of the org that it lacks."""
        checked = self._checked = checked_by(answers, self._mapping)
        if self._kept is not None:
            self._kept.save(kept_text(checked, self._configured, self._mapping))
        self._absent = checked.missing_names
        self._codec = Codec(self._mapping, self._absent)
        self._queries = Queries(self._mapping, self._codec, self._absent, self._auto_sync, self._test_members)
        return checked

    def _forget_check(self) -> None:
        self._checked = None
        if self._kept is not None:
            self._kept.save(None)

    # -------------------------------------------------------- identity

    def identity(self) -> OrgIdentity:
        """Who the org is; one call when no other call brought it along before."""
        if self._identity is None:
            part = self.identity_part()
            reply = self._composite.asked_for(
                lambda version: self._channel.call(
                    "GET",
                    ORGANIZATION.path(version) if part is None else self._composite.versioned(part.path),
                    safety=Safety.READ,
                    headers=CALL_HEADERS,
                    resource="Organization",
                )
            )
            ensure_ok(reply)
            if part is None:
                self._remember(decode.ORGANIZATIONS.decode(reply.content).records[0])
            else:
                self._remember(decode.ORGANIZATION.decode(reply.content))
        assert self._identity is not None
        return self._identity

    def identity_part(self) -> Part | None:
        """A subrequest that brings the identity along; None when it is known or the token does not show the org."""
        org_id = self._session.token().partition("!")[0]
        if self._identity is not None or not looks_like_id(org_id):
            return None
        path = f"{self._composite.root}/sobjects/Organization/{to18(org_id)}?fields=Id,Name,TimeZoneSidKey"
        return Part("org", "GET", path)

    def seen_org_id(self) -> str | None:
        """See ``Org.seen_org_id``: an access token begins with the org's id; other kinds of token tell nothing."""
        owner = self._session.owner()
        if owner is not None and looks_like_id(owner):
            return to18(owner)
        return self._identity.org_id if self._identity is not None else None

    def take_identity(self, answers: Answers) -> None:
        """Keep the identity that came along; a refusal is left for ``identity`` to meet."""
        reply = answers.get("org")
        if reply is not None and reply.ok:
            self._remember(reply.read(decode.ORGANIZATION))

    def _remember(self, row: decode.OrganizationRow) -> None:
        self._identity = OrgIdentity(id18(row.Id), row.Name, row.TimeZoneSidKey, self._channel.base_url)

    # -------------------------------------------------------- reading

    def poll(self, scope: PollScope) -> Poll:
        """See ``Org.poll``."""
        return self.without_missing_fields(lambda: self._poller.poll(scope))

    def list_campaigns(self) -> tuple[tuple[Campaign, ...], Mapping[CampaignId, Mapping[str, int]], datetime]:
        """See ``Org.list_campaigns``."""
        return self.without_missing_fields(self._poller.list_campaigns)

    def headers(self, campaign_ids: Sequence[CampaignId], opted_out_since: datetime | None) -> Headers:
        """See ``Org.headers``."""
        return self.without_missing_fields(lambda: self._poller.headers(campaign_ids, opted_out_since))

    def read_members(self, campaign_id: CampaignId) -> Iterator[tuple[OrgMember, ...]]:
        """See ``Org.read_members``."""
        scope = (f"CampaignId = '{to18(campaign_id)}'",)
        select = self._queries.members(scope, None)
        yield from map(tuple, self._reader.values(select, self.members_form(), Chain()))

    def read_some(
        self, wanted: Sequence[tuple[CampaignId, PersonId, MemberId | None]]
    ) -> Iterator[tuple[OrgMember, ...]]:
        """See ``Org.read_some``."""
        selects = [self._queries.some_members(some) for some in chunks(wanted, MEMBERS_PER_QUERY)]
        for call in chunks(selects, packing.SLOTS_PER_CALL):
            parts = [self._composite.query(f"s{i}", select) for i, select in enumerate(call)]
            answers = self._composite.send(parts, resource="CampaignMember")
            for part, select in zip(parts, call, strict=True):
                page = answers[part.reference].read(self._codec.members)
                yield decode.members_of(page.records)
                if not page.done:  # a short page: the rest in id order
                    rest = Chain(page.records[-1].Id if page.records else "")
                    yield from map(tuple, self._reader.values(select, self.members_form(), rest))

    def members_form(self) -> Form[OrgMember]:
        """Member rows as values."""
        return Form(self._codec.members, decode.members_of, self._codec.member_of_csv)

    def read_ids(self, campaign_ids: Sequence[CampaignId]) -> Iterator[IdRead]:
        """See ``Org.read_ids``. The first call carries the count beside four pages of ids."""
        for some in chunks([CampaignId(to18(one)) for one in campaign_ids], MOST_IDS):
            yield self._read_ids(some)

    def _read_ids(self, campaign_ids: Sequence[CampaignId]) -> IdRead:
        select = self._queries.ids(campaign_ids)
        counting = self._queries.counts(*select.where[1:])
        slots = packing.SLOTS_PER_CALL - 1
        chain = Chain()
        answers = self._composite.send(
            [*self._reader.parts(select, "", slots=slots), self._composite.query("n", counting)], resource="ids"
        )
        pages = list(self._reader.take(answers, select, decode.ID_ROWS, chain, slots=slots))
        # The count comes after the pages of its call, so that what both saw is one state of the org.
        counted = answers["n"].read(decode.COUNTS)
        counts = {CampaignId(id18(row.CampaignId)): row.members for row in counted.records}
        rest = self._reader.values(select, _IDS, chain, resource="ids")
        return IdRead({one: counts.get(one, 0) for one in campaign_ids}, map(member_keys, chain_of(pages, rest)))

    def read_people(self, person_ids: Sequence[PersonId]) -> Mapping[PersonId, Person]:
        """See ``Org.read_people``."""
        wanted = [PersonId(to18(one)) for one in dict.fromkeys(person_ids)]
        contacts = [one for one in wanted if one.startswith(CONTACT_PREFIX)]
        leads = [one for one in wanted if not one.startswith(CONTACT_PREFIX)]
        asked = [("Lead", some) for some in chunks(leads, MOST_IDS)]
        asked += [("Contact", some) for some in chunks(contacts, MOST_IDS)]
        found: dict[PersonId, Person] = {}
        while asked:
            some, asked = asked[: packing.SLOTS_PER_CALL], asked[packing.SLOTS_PER_CALL :]
            parts = [
                self._composite.query(f"q{i}", self._queries.people(sobject, ids), deleted_too=True)
                for i, (sobject, ids) in enumerate(some)
            ]
            answers = self._composite.send(parts, resource="people")
            for part, (sobject, ids) in zip(parts, some, strict=True):
                page = answers[part.reference].read(decode.PEOPLE)
                found |= {person.person_id: person for person in map(_person_of, page.records)}
                if not page.done:
                    if not page.records:
                        self.reader.learn(sobject, 0)
                    # What a short page left out is asked for by itself; only then is nobody there.
                    asked.append((sobject, [one for one in ids if one not in found]))
        return {one: found.get(one, Person(one, Presence.INVISIBLE)) for one in wanted}

    def describe_check(self, *, afresh: bool = True) -> tuple[tuple[str, str], ...]:
        """See ``Org.describe_check``. One call, or none."""
        if not afresh and self._checked is not None and not self._checked.problems:
            return ()
        return self._check().problems

    # -------------------------------------------------------- writing

    def meter(self) -> WriteMeter:
        """See ``Org.meter``."""
        return WriteMeter(bulk=self._bulk, locks=self._writer.locks)

    def job_seconds(self, wait: JobWait) -> float:
        """See ``Org.job_seconds``."""
        return self._serial.expected(wait.rows) if wait.serial else self._ingest.expected(wait.rows)

    def write(
        self,
        writes: Iterable[OrgWrite],
        *,
        before: Callable[[tuple[OrgWrite, ...]], None],
        after: Callable[[tuple[OrgWrite, ...], tuple[OrgOutcome, ...]], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """See ``Org.write``."""
        known = len(self._writer.dropped)
        try:
            self._writer.write(writes, before=before, after=after, cancelled=cancelled, bulk=self._bulk)
        finally:
            if len(self._writer.dropped) > known:
                self._forget_check()

    # -------------------------------------------------------- headers as values

    def campaigns_of(self, status_rows: Iterable[Any]) -> dict[CampaignId, Campaign]:
        """Campaigns from status rows that carry the header."""
        rows = list(status_rows)
        headers = {row.CampaignId: row.Campaign for row in rows if row.Campaign is not None}
        return self.campaigns_with(headers, rows)

    def campaigns_with(
        self, headers: Mapping[str, Any], status_rows: Iterable[Any], *, figures: bool = False
    ) -> dict[CampaignId, Campaign]:
        """Campaigns from headers by id and their status rows; *figures* when the metrics were read along."""
        read = tuple(self._codec.figures) if figures else None
        labels: dict[str, list[StatusLabel]] = {}
        for row in status_rows:
            labels.setdefault(row.CampaignId, []).append(decode.label_of(row))
        found = (
            decode.campaign_of(key, row, tuple(labels.get(key, ())), self.is_auto_sync, read)
            for key, row in headers.items()
        )
        return {campaign.id: campaign for campaign in found}


_IDS: Form[decode.IdRow] = Form(decode.ID_ROWS, lambda rows: rows, decode.id_row_of_csv)


def _person_of(row: PersonRow) -> Person:
    presence = Presence.READABLE
    if row.IsDeleted:
        presence = Presence.MERGED if row.MasterRecordId else Presence.DELETED
    return Person(
        person_id=PersonId(id18(row.Id)),
        presence=presence,
        converted_to=PersonId(id18(row.ConvertedContactId)) if row.ConvertedContactId else None,
        merged_into=PersonId(id18(row.MasterRecordId)) if row.MasterRecordId else None,
        opted_out=row.HasOptedOutOfEmail,
    )
