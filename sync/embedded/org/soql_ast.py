"""A parsed SOQL statement as values. Positions are (row, column), from 1, for error messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Path:
    """A field, through relationships: ``Campaign.Name``; in a date ``function`` when there is one, of the instant in
    the user's time zone when it is ``local``."""

    parts: tuple[str, ...]
    at: Position
    function: str | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate:
    """COUNT, COUNT_DISTINCT, SUM, AVG, MIN, MAX or GROUPING of a field (no field: ``COUNT()``)."""

    function: str
    path: Path | None
    alias: str | None
    at: Position


@dataclass(frozen=True, slots=True)
class Selected:
    """A field of the select list with its alias (in grouped queries, or with ``wrapped``: tolabel, format)."""

    path: Path
    alias: str | None
    wrapped: str | None = None


@dataclass(frozen=True, slots=True)
class FieldsOf:
    """``FIELDS(ALL)``, ``FIELDS(STANDARD)`` or ``FIELDS(CUSTOM)``; ``kind`` in capitals."""

    kind: str
    at: Position


@dataclass(frozen=True, slots=True)
class TypeOf:
    """``TYPEOF relationship WHEN object THEN fields … ELSE fields END``; ``otherwise`` None without an ELSE."""

    relationship: str
    at: Position
    cases: tuple[tuple[str, Position, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...] | None


@dataclass(frozen=True, slots=True)
class Children:
    """A child query of the select list: ``(SELECT Id FROM CampaignMembers)``."""

    query: Query


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal. ``kind``: string, number, boolean, null, date, datetime, range (TODAY and its like)."""

    kind: str
    text: str
    at: Position


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field op literal``; op is one of = != < <= > >= LIKE."""

    left: Path | Aggregate
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Among:
    """``field [NOT] IN (literals)``."""

    left: Path
    negated: bool
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class AmongValues:
    """``field INCLUDES (literals)`` or ``EXCLUDES``, of a multi-select picklist."""

    left: Path
    negated: bool
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class AmongRows:
    """``field [NOT] IN (SELECT …)``: a semi-join or anti-join."""

    left: Path
    negated: bool
    query: Query


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The part does not hold."""

    part: Condition


Condition = Comparison | Among | AmongValues | AmongRows | Both | Either | Negation


@dataclass(frozen=True, slots=True)
class Order:
    """One key of ORDER BY; ``nulls_first`` None means the default of the direction."""

    key: Path | Aggregate
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT statement; ``totals`` is ROLLUP or CUBE where its groups have subtotals, ``mine`` its scope.

    ``joined``: further names of FROM (``FROM Contact c, c.Account a``), lower case, with the paths they stand for.
    """

    select: tuple[Selected | Aggregate | FieldsOf | TypeOf | Children, ...]
    source: str
    source_at: Position
    alias: str | None
    where: Condition | None
    group: tuple[Path, ...]
    having: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int
    text: str
    totals: str | None = None
    mine: bool = False
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
