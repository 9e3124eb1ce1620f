"""Errors classed by what to do next, each saying what happened, where, what was left undone and the remedy.

Pure. The tree::

    PredictiveError
    ├── UsageError            exit 2   wrong command line, configuration, campaign, plan file, credentials
    │   ├── ConfigError
    │   ├── UnknownCampaign, AmbiguousCampaign
    │   ├── BadPlanFile
    │   └── WrongCredentials
    ├── RetriableError        exit 1   the other side is down, slow, locked: the same request may work later
    │   ├── ServerDown
    │   └── OutcomeUnknown             a write was sent and no answer came: read before repeating
    ├── FatalError            exit 1   it will not get better by itself
    │   ├── NotWhatItShouldBe          HTML for JSON, a foreign server, an answer of the wrong shape
    │   └── RemoteRejected             the request as a whole was refused, with the platform's code
    ├── QuotaExhausted        exit 4   the org's daily limit; a run that meets it ends partial
    ├── Refused               exit 5   a guard, read-only, a precondition, or a budget too small; nothing written
    ├── Locked                exit 7   another live run, or a lock-out that a person must lift
    └── Cancelled             exit 130 a person stopped it; nothing lost
"""

from __future__ import annotations

_NOTHING = "nothing was"
_SO_FAR = "what was written before stands; the rest was left undone"


class PredictiveError(Exception):
    """Base of all errors that people see.

    Args:
        what: one sentence, what happened and to which record.
        where: file, key, URL or campaign it concerns, without secrets.
        left_undone: what was not done because of it.
        remedy: what to do now.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", left_undone: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.left_undone = left_undone
        self.remedy = remedy

    def line(self, *, wrote: bool = False) -> str:
        """All four parts on one line, for standard error and the log.

        Args:
            wrote: something was written before by the same run: that nothing was is then true of a request only.
        """
        parts = [self.what.rstrip(".")]
        if self.where:
            parts[0] += f" ({self.where})"
        left_undone = _SO_FAR if wrote and self.left_undone.startswith(_NOTHING) else self.left_undone
        parts += [part.rstrip(".") for part in (left_undone, self.remedy) if part]
        sentences = [" ".join(part.split()) for part in parts]
        return " ".join(text if text.endswith(("?", "!")) else f"{text}." for text in sentences)


class UsageError(PredictiveError):
    """Wrong usage: the caller must change something before it can work."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration names an unknown key, a wrong value, or cannot be read."""


class UnknownCampaign(UsageError):
    """No campaign has this id or exact name."""


class AmbiguousCampaign(UsageError):
    """More than one campaign has this name."""


class BadPlanFile(UsageError):
    """A plan file is damaged, foreign, too old, or was applied already."""


class WrongCredentials(UsageError):
    """The other side refused the login."""


class ConfirmationNeeded(UsageError):
    """A confirmation is needed and there is neither a terminal nor ``--yes``."""


class RetriableError(PredictiveError):
    """The same request may work later."""


class ServerDown(RetriableError):
    """No connection, no answer in time, or a gateway's error."""


class OutcomeUnknown(RetriableError):
    """A write was handed over and no answer came; it must be read before anything is repeated."""


class FatalError(PredictiveError):
    """It will not get better by itself."""


class NotWhatItShouldBe(FatalError):
    """The other side answered with something else than its API: HTML, a wrong shape, a wrong identity."""


class RemoteRejected(FatalError):
    """The other side refused a whole request.

    Args:
        code: the platform's error code, e.g. ``INVALID_FIELD``.
    """

    def __init__(self, what: str, *, code: str = "", where: str = "", left_undone: str = "", remedy: str = "") -> None:
        super().__init__(what, where=where, left_undone=left_undone, remedy=remedy)
        self.code = code


class QuotaExhausted(PredictiveError):
    """The org's rolling daily limit of API requests is used up."""

    exit_code = 4


class Refused(PredictiveError):
    """Nothing was written: a guard, read-only mode, a precondition, or a budget too small.

    Args:
        rule: name of the guard or precondition.
    """

    exit_code = 5

    def __init__(
        self,
        what: str,
        *,
        rule: str = "",
        where: str = "",
        left_undone: str = "nothing was written",
        remedy: str = "",
    ) -> None:
        super().__init__(what, where=where, left_undone=left_undone, remedy=remedy)
        self.rule = rule


class Locked(PredictiveError):
    """Another live run has it, or a person must lift a lock-out."""

    exit_code = 7


class Cancelled(PredictiveError):
    """A person stopped the run; what was finished is kept, nothing is lost."""

    exit_code = 130
