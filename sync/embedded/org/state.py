"""What the control address can change about the org: switches, validation rules, hidden and locked rows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from sync.embedded.org.errors import OrgError


@dataclass(slots=True)
class Switches:
    """Behaviour that nobody could verify on a live org, and limits that a test wants smaller.

    ``failed_calls_count``: 4xx answers use up quota. ``keep_lead_id``: a member given both a lead and a contact keeps
    both. ``conversion_sets_contact``: converting a lead gives its members the contact's id. ``page_rows``: most rows
    of a query's page. ``session_seconds``: a session ends after so long without use (0: never).
    """

    failed_calls_count: bool = True
    keep_lead_id: bool = False
    conversion_sets_contact: bool = True
    page_rows: int = 2_000
    session_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """An admin's rule: a record whose ``field`` has this value is refused with this message."""

    object: str
    field: str
    equals: Any
    message: str
    shown_at_field: bool = True


@dataclass(slots=True)
class RowFault:
    """The next ``times`` rows of an object written fail with this error, after ``after`` that do not."""

    object: str
    code: str
    message: str
    times: int | None = 1
    after: int = 0
    operation: str | None = None


@dataclass(slots=True)
class OrgState:
    """Everything beside the rows. ``hidden`` and ``locked`` hold row keys by object name."""

    switches: Switches = field(default_factory=Switches)
    rules: list[ValidationRule] = field(default_factory=list)
    row_faults: list[RowFault] = field(default_factory=list)
    hidden: dict[str, set[int]] = field(default_factory=dict)
    locked: set[tuple[str, int]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_hidden(self, name: str, key: int | None) -> bool:
        """Whether sharing hides this record from the integration user."""
        keys = self.hidden.get(name)
        return bool(keys) and key in keys  # type: ignore[operator]

    def hidden_objects(self) -> frozenset[str]:
        """The objects of which some record is hidden."""
        return frozenset(name for name, keys in self.hidden.items() if keys)

    def take_row_fault(self, name: str, operation: str) -> OrgError | None:
        """The error this row must fail with, if a fault is set for it; counts it."""
        if not self.row_faults:
            return None
        with self.lock:
            for fault in self.row_faults:
                if fault.object != name or fault.operation not in (None, operation) or fault.times == 0:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return OrgError(fault.code, fault.message)
        return None
