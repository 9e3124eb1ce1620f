"""What people are told when the state's database fails under a command: full disk, damaged file, lost server.

Imports neither SQLAlchemy nor a driver: it only looks at errors that somebody else met.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync.errors import FatalError, PredictiveError, RetriableError

_STANDS = "what was journalled before it stands"
_ANEW = "restore it from a copy, or move it away and do New Edition anew, which takes campaigns up again"
_AGAIN = "run it again: it goes on where it stopped"
_KINDS: tuple[tuple[tuple[str, ...], type[PredictiveError], str, str], ...] = (
    (("is full",), FatalError, "the disk that holds the state is full", f"free some space, then {_AGAIN}"),
    (("disk i/o error",), FatalError, "the state cannot be read or written", f"check the disk, then {_AGAIN}"),
    (("readonly",), FatalError, "the state cannot be written", f"make the file and its folder writable, then {_AGAIN}"),
    (("malformed", "not a database"), FatalError, "the state's file is damaged", _ANEW),
    (("is locked",), RetriableError, "another process holds the state for very long", f"wait for it, then {_AGAIN}"),
)


def state_trouble(error: BaseException) -> PredictiveError | None:
    """*error* in words with a remedy, if it comes from the state's database; None for whatever else it is.

    The driver's own words are shown, never the statement and its values, which hold people.
    """
    for each in _driver_errors(error):
        words = " ".join(str(each).split())
        for signs, kind, what, remedy in _KINDS:
            if any(sign in words.lower() for sign in signs):
                return kind(f"{what}: {words}", left_undone=_STANDS, remedy=remedy)
        if type(each).__name__ in ("OperationalError", "InterfaceError", "AdminShutdown"):
            return RetriableError(
                f"the state's database does not answer: {words}",
                left_undone=_STANDS,
                remedy=f"see to it, then {_AGAIN}",
            )
    return None


def _driver_errors(error: BaseException | None) -> Iterator[BaseException]:
    """The errors of SQLite's or PostgreSQL's driver behind *error*, the outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "orig", None)
        if isinstance(inner, BaseException):
            yield inner
        elif type(error).__module__.partition(".")[0] in ("sqlite3", "psycopg"):
            yield error
        error = error.__cause__ or error.__context__
