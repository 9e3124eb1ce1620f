"""One member's story decoded from the service's answer. Pure; readers ignore unknown keys."""

from __future__ import annotations

import msgspec

from sync.ids import EditionId
from sync.predictive import decode
from sync.story import Condition, EditionStory, MailSent, Recorded, ServiceStory, Suppression


class MailRow(msgspec.Struct):
    """A mail of the journal."""

    edition_id: str
    email: str
    state: str
    intent_at: str
    sent_at: str | None = None
    opened: bool = False
    clicked: bool = False
    completed: bool = False
    bounced: bool = False
    opted_out: bool = False
    complained: bool = False

    def value(self) -> MailSent:
        """As our value."""
        return MailSent(
            edition_id=EditionId(self.edition_id),
            state=self.state,
            at=decode.instant(self.sent_at or self.intent_at),
            email=self.email,
            opened=self.opened,
            clicked=self.clicked,
            completed=self.completed,
            bounced=self.bounced,
            opted_out=self.opted_out,
            complained=self.complained,
        )


class ConditionRow(msgspec.Struct):
    """One condition of sending."""

    rule: str
    text: str
    holds: bool
    value: str = ""


class MailingRow(msgspec.Struct):
    """Why an edition is mailed or not."""

    edition_id: str
    slot: int
    due: bool
    conditions: list[ConditionRow]
    name: str | None = None
    mail: MailRow | None = None

    def value(self) -> EditionStory:
        """As our value."""
        return EditionStory(
            edition_id=EditionId(self.edition_id),
            slot=self.slot,
            name=self.name or f"edition {self.slot}",
            mail=None if self.mail is None else self.mail.value(),
            due=self.due,
            conditions=tuple(Condition(row.rule, row.text, row.value, row.holds) for row in self.conditions),
        )


class SuppressionRow(msgspec.Struct):
    """What holds a person back."""

    scope: str
    kind: str
    at: str
    reason: str | None = None


class RecordedRow(msgspec.Struct):
    """An entry of the record."""

    at: str
    type: str
    op: str
    data: msgspec.Raw
    client: str | None = None

    def value(self) -> Recorded:
        """As our value."""
        if self.type == "person":
            person = decode.PERSON_DATA.decode(self.data)
            return Recorded(decode.instant(self.at), False, self.client, None, person.opted_out, person.reason)
        gone = self.op == "delete"
        member = None if gone else decode.MEMBER_DATA.decode(self.data).value()
        return Recorded(decode.instant(self.at), gone, self.client, member)


class StoryAnswer(msgspec.Struct):
    """One member's story."""

    at: str
    mailing: list[MailingRow]
    suppressions: list[SuppressionRow]
    recorded: list[RecordedRow]
    member: decode.MemberRow | None = None
    removed: bool = False
    from_slot: int | None = None

    def value(self) -> ServiceStory:
        """As our value."""
        return ServiceStory(
            member=None if self.member is None else self.member.value(),
            removed=self.removed,
            at=decode.instant(self.at),
            suppressions=tuple(
                Suppression(row.scope, row.kind, row.reason, decode.instant(row.at)) for row in self.suppressions
            ),
            editions=tuple(row.value() for row in sorted(self.mailing, key=lambda row: row.slot)),
            recorded=tuple(row.value() for row in self.recorded),
            from_slot=self.from_slot,
        )


class AffectedAnswer(msgspec.Struct):
    """Campaigns whose members changed."""

    affected: list[str]


STORY = msgspec.json.Decoder(StoryAnswer)
AFFECTED = msgspec.json.Decoder(AffectedAnswer)
