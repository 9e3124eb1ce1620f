"""What the control address can change about the org: switches, validation rules, hidden and locked rows."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sync.embedded.org.errors import OrgError


@dataclass(slots=True)
class Switches:
    """Behaviour that nobody could verify on a live org, and limits that a test wants smaller or slower.

    Unverified (the default is what costs a client more, or what the documentation says):

    - ``failed_calls_count``: 4xx answers use up quota.
    - ``unchanged_counts``: a 304 uses up quota.
    - ``login_counts``: a request to the token endpoint or SOAP ``login()`` uses up quota.
    - ``header_lag``: the limit header shows the use as it was so many calls before.
    - ``header_on_jobs``: answers below ``/jobs`` carry the limit header.
    - ``overrun``: so many calls beyond the limit are let through.
    - ``relationship_urls_count``: a relationship address in a Composite counts among the five queries.
    - ``query_more_in_composite``: a ``nextRecordsUrl`` may be part of a Composite.
    - ``replication_in_composite``: the updated and deleted resources may be part of a Composite.
    - ``collate``: a Composite that does not say ``collateSubrequests: false`` may run its parts in another order.
    - ``keep_lead_id``: a member given both a lead and a contact keeps both.
    - ``conversion_sets_contact``: converting a lead gives its members the contact's id.
    - ``deleted_lists_members``: the deleted resource lists members that were removed for good.
    - ``lock_contention``: the share of the 200-row steps of parallel bulk batches, and of the rows of requests that
      overlap, that lose a campaign's lock.
    - ``multipart_most``: characters of data that a multipart job may carry.

    Set up by an admin:

    - ``assignment_rule``: leads are given to another owner unless ``Sforce-Auto-Assign: FALSE``.
    - ``rotate_refresh_tokens``: a refresh token is good once, and a new one comes with the session.
    - ``pkce_required``: an authorization without a code challenge is refused.

    Limits: ``page_rows`` of a query's page, ``child_rows`` of a child query's; ``session_seconds`` until a session
    ends that is not used (0: never); ``locator_seconds`` that a query locator lives; ``long_requests`` at once, each
    of ``long_request_seconds`` and more; ``bulk_rows`` of a bulk job's internal batch; ``bulk_seconds`` by the clock,
    and ``bulk_polls``, until a bulk job is done; ``delete_log_rows`` of an object that its delete log keeps whole.
    """

    failed_calls_count: bool = True
    unchanged_counts: bool = True
    login_counts: bool = False
    header_lag: int = 0
    header_on_jobs: bool = True
    overrun: int = 0
    relationship_urls_count: bool = True
    query_more_in_composite: bool = False
    replication_in_composite: bool = False
    collate: bool = False
    keep_lead_id: bool = False
    conversion_sets_contact: bool = True
    deleted_lists_members: bool = False
    lock_contention: float = 0.0
    multipart_most: int = 100_000
    assignment_rule: bool = False
    rotate_refresh_tokens: bool = False
    pkce_required: bool = True
    page_rows: int = 2_000
    child_rows: int = 499
    session_seconds: float = 0.0
    locator_seconds: float = 172_800.0
    long_requests: int = 25
    long_request_seconds: float = 20.0
    bulk_rows: int = 10_000
    bulk_seconds: float = 0.0
    bulk_polls: int = 0
    delete_log_rows: int = 600_000


TESTS = ("equals", "differs", "blank", "filled", "contains", "starts", "matches", "above", "below")


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """An admin's rule: a record whose ``field`` is so is refused with this message.

    ``test`` compares the value with ``equals`` (``contains``, ``starts`` and ``matches``, a regular expression, read
    it as text; ``above`` and ``below`` as a number; ``blank`` and ``filled`` need none). ``operation`` is create or
    update (None: both), ``code`` another error than a validation rule's. Raises ValueError for an unknown test.
    """

    object: str
    field: str
    equals: Any = None
    message: str = "The record does not meet a validation rule."
    shown_at_field: bool = True
    test: str = "equals"
    operation: str | None = None
    code: str = "FIELD_CUSTOM_VALIDATION_EXCEPTION"

    def __post_init__(self) -> None:
        if self.test not in TESTS:
            raise ValueError(f"test is one of {', '.join(TESTS)}")
        if self.operation not in (None, "create", "update"):
            raise ValueError("operation is create or update")
        if self.test == "matches":
            re.compile(str(self.equals))

    def refuses(self, value: Any) -> bool:
        """Whether a record with this value is refused."""
        if self.test in ("blank", "filled"):
            return (value is None) == (self.test == "blank")
        if self.test in ("equals", "differs"):
            return bool(value == self.equals) == (self.test == "equals")
        if value is None:
            return False
        if self.test in ("above", "below"):
            number, bound = float(value), float(self.equals)
            return number > bound if self.test == "above" else number < bound
        text, wanted = str(value), str(self.equals)
        if self.test == "matches":
            return re.search(wanted, text) is not None
        return wanted in text if self.test == "contains" else text.startswith(wanted)


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """An admin's duplicate rule: a new record that agrees with another one in all ``fields`` is refused.

    ``action`` alert lets it pass when the client asks so (``Sforce-Duplicate-Rule-Header: allowSave=true``), block
    never does. Raises ValueError for another action.
    """

    object: str
    fields: tuple[str, ...]
    action: str = "alert"

    def __post_init__(self) -> None:
        if self.action not in ("alert", "block"):
            raise ValueError("action of a duplicate rule is alert or block")


@dataclass(slots=True)
class RowFault:
    """The next ``times`` rows of an object written fail with this error, after ``after`` that do not.

    ``ids`` limits it to rows that are, or point to, one of these records (15 characters), as a lock on a campaign
    does to its members. ``probability`` is drawn for each row from ``seed``.
    """

    object: str
    code: str
    message: str
    times: int | None = 1
    after: int = 0
    operation: str | None = None
    ids: frozenset[str] = frozenset()
    probability: float = 1.0
    seed: int = 0
    draws: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.draws = random.Random(self.seed)  # noqa: S311 - repeatable by intent


@dataclass(slots=True)
class QueryFault:
    """The next ``times`` queries whose statement contains a text fail with this error, wherever they are asked."""

    contains: str
    code: str
    message: str
    times: int | None = 1
    after: int = 0


@dataclass(frozen=True, slots=True)
class SlowJob:
    """How the next bulk job goes on: so many seconds by the clock and so many polls, and the state it ends in."""

    seconds: float = 0.0
    polls: int = 0
    state: str | None = None
    message: str | None = None


@dataclass(slots=True)
class OrgState:
    """Everything beside the rows.

    ``hidden`` and ``locked`` hold row keys by object name, ``held`` the stamps of open transactions by their name,
    ``slow_jobs`` what the next bulk jobs are to take.
    """

    switches: Switches = field(default_factory=Switches)
    rules: list[ValidationRule] = field(default_factory=list)
    duplicate_rules: list[DuplicateRule] = field(default_factory=list)
    row_faults: list[RowFault] = field(default_factory=list)
    hidden: dict[str, set[int]] = field(default_factory=dict)
    locked: set[tuple[str, int]] = field(default_factory=set)
    held: dict[str, int] = field(default_factory=dict)
    slow_jobs: list[SlowJob] = field(default_factory=list)
    query_faults: list[QueryFault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_hidden(self, name: str, key: int | None) -> bool:
        """Whether sharing hides this record from the integration user."""
        keys = self.hidden.get(name)
        return bool(keys) and key in keys  # type: ignore[operator]

    def hidden_objects(self) -> frozenset[str]:
        """The objects of which some record is hidden."""
        return frozenset(name for name, keys in self.hidden.items() if keys)

    def take_row_fault(self, name: str, operation: str, ids: Callable[[], frozenset[str]]) -> OrgError | None:
        """The error this row must fail with, if a fault is set for it; counts it. ``ids``: the row's and its links'."""
        if not self.row_faults:
            return None
        with self.lock:
            for fault in self.row_faults:
                if fault.object != name or fault.operation not in (None, operation) or fault.times == 0:
                    continue
                if fault.ids and not fault.ids & ids():
                    continue
                if fault.probability < 1.0 and fault.draws.random() >= fault.probability:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return OrgError(fault.code, fault.message)
        return None

    def check_query(self, text: str) -> None:
        """Raise the OrgError that this statement must fail with, if a fault is set for it; counts it."""
        if not self.query_faults:
            return
        with self.lock:
            for fault in self.query_faults:
                if fault.contains.lower() not in text.lower() or fault.times == 0:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                raise OrgError(fault.code, fault.message)
