"""Which members of a campaign are shown: the typed filter and the ones that keys go through.

Pure. The typed text is looked for in names and e-mail addresses; ``reason:WORD`` in the reason why one is not mailed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

ONLY: tuple[str, ...] = ("", "inactive", "waits", "test", "hidden")
"""What the key goes through: all, those not mailed, those on which the sides do not agree yet, test members, those that
the org hides."""

ONLY_WORDS = {
    "inactive": "not mailed",
    "waits": "waiting for a run",
    "test": "test members",
    "hidden": "hidden in Salesforce",
}


class Asked(TypedDict):
    """The same as keyword arguments of a backend."""

    text: str
    status: str | None
    level: str | None
    reason: str
    only: str


@dataclass(frozen=True, slots=True)
class MemberQuery:
    """The filters of a member list; empty ones choose everybody. ``level`` is a level's name."""

    text: str = ""
    status: str | None = None
    level: str | None = None
    only: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.status or self.level or self.only)

    def asked(self) -> Asked:
        """What a backend is asked for."""
        words = self.text.split()
        reasons = [word.partition(":")[2] for word in words if word.casefold().startswith("reason:")]
        rest = " ".join(word for word in words if not word.casefold().startswith("reason:"))
        return {
            "text": rest,
            "status": self.status,
            "level": self.level,
            "reason": " ".join(reasons),
            "only": self.only,
        }

    def words(self) -> str:
        """The filters as people read them."""
        parts = [f"“{self.text}”"] if self.text else []
        parts += [f"status {self.status}"] if self.status else []
        parts += [f"level {self.level}"] if self.level else []
        parts += [ONLY_WORDS[self.only]] if self.only else []
        return ", ".join(parts)
