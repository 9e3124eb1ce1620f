"""The statements that the adapter sends, for one mapping. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sync.errors import ConfigError
from sync.ids import CONTACT_PREFIX, CampaignId, MemberId, PersonId
from sync.mapping import Mapping
from sync.salesforce.decode import Codec
from sync.salesforce.soql import MOST_IDS, PAGE, Select, among, either, instant
from sync.words import plural

TEST_GROUP = "PAM"
PERSONS = either("LeadId != null", "ContactId != null")
"""Accounts may be members too; they have no e-mail address of their own and are left out everywhere alike."""
_PERSON = ("Id", "FirstName", "LastName", "Email")
_KEYS = ("Id", "CampaignId", "LeadId", "ContactId", "Lead.ConvertedContactId")


class Queries:
    """Statements for one mapping and what the org has of it.

    Args:
        mapping: names in the org.
        codec: its rows.
        absent: (object, field) that the org lacks.
        auto_sync: campaigns with auto-sync by configuration, used when the org has no such field.
        test_members: global test members by configuration, used when the org has no fields that mark them.
    """

    def __init__(
        self,
        mapping: Mapping,
        codec: Codec,
        absent: frozenset[tuple[str, str]],
        auto_sync: Sequence[CampaignId],
        test_members: Sequence[PersonId] = (),
    ) -> None:
        self._mapping = mapping
        self._codec = codec
        self._absent = absent
        self._auto_sync = tuple(auto_sync)
        self._test_members: dict[str, list[PersonId]] = {}
        for person in test_members:
            sobject = "Contact" if person.startswith(CONTACT_PREFIX) else "Lead"
            self._test_members.setdefault(sobject, []).append(person)

    @property
    def test_objects(self) -> tuple[str, ...]:
        """Objects among whose records global test members are: marked in the org, or else named in the configuration;
        empty when neither says who they are."""
        return ("Lead", "Contact") if self._marks_test_people else tuple(self._test_members)

    @property
    def _marks_test_people(self) -> bool:
        names = (self._mapping.person_test_group, self._mapping.person_test_member)
        return all(names) and not any((sobject, n) in self._absent for sobject in ("Lead", "Contact") for n in names)

    def in_scope(self, campaigns: Sequence[CampaignId] | None) -> str:
        """Condition on rows with CampaignId: these campaigns, or those with auto-sync.

        Raises:
            ConfigError: nothing says which campaigns have auto-sync.
        """
        if campaigns is None and self._codec.has_auto_sync:
            return f"Campaign.{self._mapping.campaign_auto_sync} = true"
        chosen = campaigns if campaigns is not None else self._auto_sync
        if not chosen:
            raise ConfigError(
                "the org has no auto-sync field and the configuration names no campaigns for it",
                where="orgs.NAME.mapping.campaign_auto_sync",
                left_undone="nothing was read or written",
                remedy="list the campaigns in the configuration, or name the campaigns on the command line",
            )
        return among("CampaignId", chosen)

    def members(self, scope: Sequence[str], since: datetime | None) -> Select:
        """Members whose own, lead's or contact's stamp is at or after *since*; all for None."""
        select = Select(self._codec.member_fields, "CampaignMember", (PERSONS,)).having(*scope)
        if since is None:
            return select
        stamps = ("SystemModstamp", "Lead.SystemModstamp", "Contact.SystemModstamp")
        return select.having(either(*(f"{stamp} >= {instant(since)}" for stamp in stamps)))

    def some_members(self, wanted: Sequence[tuple[CampaignId, PersonId, MemberId | None]]) -> Select:
        """Members named by person and, where it is known, by their row; in id order."""
        people = [person for _, person, _ in wanted]
        contacts = [one for one in people if one.startswith(CONTACT_PREFIX)]
        leads = [one for one in people if not one.startswith(CONTACT_PREFIX)]
        ways = [among("LeadId", leads)] if leads else []
        ways += [among("ContactId", contacts)] if contacts else []
        rows = [member for _, _, member in wanted if member is not None]
        ways += [among("Id", rows)] if rows else []
        campaigns = list(dict.fromkeys(campaign for campaign, _, _ in wanted))
        return self.members((among("CampaignId", campaigns), either(*ways)), None).page("", None)

    def members_by_source(self, scope: Sequence[str], since: datetime) -> tuple[Select, ...]:
        """The same rows in three statements without overlap, one for each stamp, for orgs that are too slow for one."""
        at = instant(since)
        select = Select(self._codec.member_fields, "CampaignMember", (PERSONS,)).having(*scope)
        others = select.having(f"SystemModstamp < {at}")
        return (
            select.having(f"SystemModstamp >= {at}"),
            others.having(f"Lead.SystemModstamp >= {at}"),
            others.having(f"Contact.SystemModstamp >= {at}", either("LeadId = null", f"Lead.SystemModstamp < {at}")),
        )

    def statuses(self, *conditions: str, header: bool = True) -> Select:
        """Status labels, with the campaign's header through the relationship."""
        own = ("Id", "CampaignId", "Label", "IsDefault", "HasResponded", "SortOrder")
        fields = tuple(f"Campaign.{name}" for name in self._codec.header_fields) if header else ()
        return Select((*own, *fields), "CampaignMemberStatus").having(*conditions)

    def campaigns(self, *conditions: str, figures: bool = False) -> Select:
        """Campaign headers; with the figures that the org derives itself."""
        more = self._codec.figure_fields if figures else ()
        return Select(("Id", *self._codec.header_fields, *more), "Campaign").having(*conditions)

    def counts(self, *conditions: str) -> Select:
        """Members of each campaign, counted by the org."""
        fields = (
            "CampaignId",
            "COUNT(Id) members",
            "COUNT(LeadId) leads",
            "COUNT(ContactId) contacts",
            "MAX(SystemModstamp) newest",
        )
        return Select(fields, "CampaignMember", (PERSONS, *conditions), ("CampaignId",), "CampaignId", PAGE)

    def counts_by_status(self) -> Select:
        """Members of every campaign by status."""
        fields = ("CampaignId", "Status", "COUNT(Id) members")
        return Select(fields, "CampaignMember", (PERSONS,), ("CampaignId", "Status"), "CampaignId", PAGE)

    def accounts(self) -> Select:
        """Accounts that are members of a campaign themselves; told by what they have not, because the field that names
        them exists only where an org allows them."""
        fields = ("CampaignId", "COUNT(Id) members")
        nobody = ("LeadId = null", "ContactId = null")
        return Select(fields, "CampaignMember", nobody, ("CampaignId",), "CampaignId", PAGE)

    def ids(self, campaigns: Sequence[CampaignId]) -> Select:
        """Member ids with their person."""
        return Select(_KEYS, "CampaignMember", (PERSONS, among("CampaignId", campaigns)))

    def test_people(self, sobject: str) -> Select:
        """Global test members among leads (converted ones are contacts by now) or contacts; one of ``test_objects``.

        Raises:
            ConfigError: the configuration names more people than one statement holds.
        """
        if self._marks_test_people:
            marked: tuple[str, ...] = (
                f"{self._mapping.person_test_group} = '{TEST_GROUP}'",
                f"{self._mapping.person_test_member} = true",
            )
        else:
            named = self._test_members[sobject]
            if len(named) > MOST_IDS:
                raise ConfigError(
                    f"{plural(len(named), 'test member')} of one kind named, at most {MOST_IDS} can be read",
                    where="orgs.NAME.test_members",
                    left_undone="nothing was read or written",
                    remedy="name fewer of them",
                )
            marked = (among("Id", named),)
        select = Select(_PERSON, sobject, marked)
        return select.having("IsConverted = false") if sobject == "Lead" else select

    def people(self, sobject: str, ids: Sequence[str]) -> Select:
        """What became of leads or contacts; to be asked with deleted ones."""
        fields: tuple[str, ...] = ("Id", "IsDeleted", "MasterRecordId", "HasOptedOutOfEmail")
        if sobject == "Lead":
            fields = (*fields, "IsConverted", "ConvertedContactId")
        return Select(fields, sobject, (among("Id", ids),))

    def opted_out(self, sobject: str, since: datetime) -> Select:
        """Leads or contacts changed since then that are opted out."""
        fields: tuple[str, ...] = ("Id", "HasOptedOutOfEmail", "SystemModstamp")
        if sobject == "Lead":
            fields = (*fields, "IsConverted", "ConvertedContactId")
        return Select(fields, sobject, ("HasOptedOutOfEmail = true", f"SystemModstamp >= {instant(since)}"))

    def opted_out_members(self, since: datetime, *, by_source: bool) -> tuple[Select, ...]:
        """Members whose person is opted out and changed since then, or whose row did while it was still marked as
        active: in one statement, or *by_source* in one for each stamp, which may name a row twice."""
        at = instant(since)
        ways: list[tuple[str, ...]] = [(f"{person}.SystemModstamp >= {at}",) for person in ("Lead", "Contact")]
        if self._codec.active_field:
            ways.append((f"SystemModstamp >= {at}", f"{self._codec.active_field} = true"))
        select = Select(_KEYS, "CampaignMember", (PERSONS, "HasOptedOutOfEmail = true"))
        if by_source:
            return tuple(select.having(*way) for way in ways)
        return (select.having(either(*("(" + " AND ".join(way) + ")" for way in ways))),)


ORGANIZATION = Select(("Id", "Name", "TimeZoneSidKey"), "Organization", limit=1)
