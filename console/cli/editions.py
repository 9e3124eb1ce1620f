"""Commands about one edition: show or change it, send it to the test members."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli import wire
from console.cli.prose import instant, safe
from sync.errors import PredictiveError, Refused, RemoteRejected, UsageError
from sync.ids import CampaignId
from sync.words import plural

if TYPE_CHECKING:
    from argparse import Namespace

    from console.cli.invocation import Invocation
    from sync.bootstrap import Shell
    from sync.model import Campaign, Edition


_REMEDIES = {
    "content_missing": "give it both: predictive edition CAMPAIGN EDITION --subject TEXT --html FILE",
    "content_error": "correct its merge fields: predictive edition CAMPAIGN EDITION --html FILE",
    "no_test_members": "mark a lead or contact as test member in Salesforce, then predictive sync CAMPAIGN",
}
_OPTIONS = {"days_delay": "--delay", "subject": "--subject", "html": "--html"}
_BOUND = re.compile(r"Expected `\w+`(?P<length> of length)? <= (?P<most>\d+) \(/(?P<field>\w+)\)")


def edition(invocation: Invocation) -> int:
    """Change what was given and show the edition; with nothing given only show it."""
    fields = _fields(invocation.options)
    shell = invocation.shell()
    campaign = shell.resolve(invocation.options.campaign)
    with _started(shell, campaign):
        if fields:
            after = shell.edit_edition(campaign.id, invocation.options.edition, fields)
        else:
            from sync.engine.editions import find_edition

            load(shell, campaign.id)
            after = find_edition(shell.parts(), campaign.id, invocation.options.edition)
    invocation.report.lines(_words(after), wire.edition(after))
    return 0


def test_send(invocation: Invocation) -> int:
    """Send to the test members; from then on the edition may go out."""
    shell = invocation.shell()
    campaign = shell.resolve(invocation.options.campaign)
    # What is said here is its one line; the run's own events are for the journal.
    shell.listen(lambda event: None)
    with _started(shell, campaign):
        sent, recipients, after = shell.test_send(campaign.id, invocation.options.edition)
    text = [f"{plural(sent, 'test mail')} sent: {safe(', '.join(recipients))}", *_words(after)]
    value = {"type": "test-send", "sent": sent, "recipients": list(recipients), "edition": wire.edition(after)}
    invocation.report.lines(text, value)
    return 0


@contextmanager
def _started(shell: Shell, campaign: Campaign) -> Iterator[None]:
    """Says of a campaign without New Edition that it has no editions yet, whatever the service called it."""
    try:
        yield
    except RemoteRejected as error:
        if shell.detail(campaign.id).view.started:
            raise _unfit(error) from error
        raise UsageError(
            f"{campaign.name} has no editions",
            left_undone="nothing was changed or sent",
            remedy="predictive new-edition makes them",
        ) from None


def _unfit(error: RemoteRejected) -> PredictiveError:
    """What the service said of a value that it does not take, or of an edition that is not ready, with what to do."""
    what = error.what.partition("refused a request: ")[2] or error.what
    if error.code == "invalid":
        return UsageError(
            _too_much(what), left_undone="nothing was changed or sent", remedy="see predictive edition --help"
        )
    remedy = _REMEDIES.get(error.code)
    if remedy is None:
        return error
    return Refused(what, rule=error.code, left_undone="nothing was changed or sent", remedy=remedy)


def _too_much(what: str) -> str:
    """A bound that the service names by its field and type, by the option and in words; anything else as it is."""
    found = _BOUND.fullmatch(what)
    if found is None or found["field"] not in _OPTIONS:
        return what
    return f"{_OPTIONS[found['field']]} takes at most {found['most']}{' characters' if found['length'] else ''}"


def load(shell: Shell, campaign_id: CampaignId) -> tuple[Edition, ...]:
    """A campaign's editions as the service has them now; no Salesforce call.

    Raises:
        RemoteRejected: the service refused, for another reason than that New Edition was never done.
    """
    parts = shell.parts()
    try:
        with parts.made_for("editions", campaign_id=campaign_id):
            parts.store.content.land_editions(parts.service.editions(campaign_id))
    except RemoteRejected:
        # Before New Edition the service does not know the campaign: it has no editions.
        if shell.detail(campaign_id).view.started:
            raise
    return shell.detail(campaign_id).editions


def _fields(options: Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if options.subject is not None:
        fields["subject"] = options.subject
    if options.html is not None:
        try:
            fields["html"] = Path(options.html).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(
                f"cannot read {options.html}: {why}",
                left_undone="the edition was not changed",
                remedy="check the path; the file holds HTML as UTF-8 text",
            ) from error
    if options.delay is not None:
        fields["days_delay"] = options.delay
    for name, given in (("start_date", options.from_date), ("end_date", options.to_date)):
        if given is not None:
            fields[name] = _day(given)
    if options.active is not None:
        fields["active"] = options.active == "on"
    return fields


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no date", left_undone="the edition was not changed", remedy="write it as 2027-03-01"
        ) from None


def _words(value: Edition) -> list[str]:
    rows = [
        ("edition", f"{value.slot} {value.name}"),
        ("state", value.state),
        ("subject", value.subject),
        ("tested", instant(value.tested_at)),
        ("delay", "–" if value.days_delay is None else plural(value.days_delay, "day")),
    ]
    if value.start_date or value.end_date:
        rows.append(("range", f"{value.start_date or '…'} to {value.end_date or '…'}"))
    lines = [f"{name:<8} {safe(text)}" for name, text in rows]
    return [*lines, *(f"▲ {safe(item.text)}" for item in value.blocked_by)]
