"""One member's story as the API tells it. May import msgspec."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from sync.embedded.service import wire


class Condition(Struct, frozen=True):
    """One condition of sending: what must hold, what is the case, and whether it holds."""

    rule: str
    text: str
    value: str
    holds: bool


class Mailing(Struct, frozen=True):
    """Why an edition is mailed to a member, or is not; `due` when every condition holds."""

    edition_id: str
    slot: int
    name: str | None
    role: wire.Role
    mail: wire.Mail | None
    due: bool
    conditions: list[Condition]


class Suppression(Struct, frozen=True):
    """What holds a person back."""

    scope: wire.Scope
    kind: Literal["opt_out", "complaint", "bounce"]
    reason: str | None
    at: str


class Recorded(Struct, frozen=True):
    """What was recorded of a member or person at an instant: whole values; `client` wrote it, null = activity."""

    at: str
    type: Literal["member", "person"]
    op: Literal["upsert", "delete"]
    client: str | None
    data: Any  # Member or PersonChange, by type


class MemberStory(Struct, frozen=True):
    """Everything about one person in one campaign. `member` is null for who is none; `removed` = was one once."""

    person_id: str
    member: wire.Member | None
    removed: bool
    at: str
    from_slot: int | None
    suppressions: list[Suppression]
    mailing: list[Mailing]
    recorded: list[Recorded]
