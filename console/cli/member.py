"""Commands about one member, or one campaign's lock: why, opt-in, runs unlock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from console.cli import wire
from console.cli.prose import columns, instant, moment, safe

if TYPE_CHECKING:
    from console.cli.invocation import Invocation
    from sync.story import EditionStory, MemberStory


def why(invocation: Invocation) -> int:
    """A member's whole story. Salesforce is not asked."""
    shell, options = invocation.shell(), invocation.options
    campaign = shell.resolve(options.campaign)
    story = shell.why(campaign.id, options.person)
    if options.json:
        invocation.report.items(_items(story), [], lambda line: [], empty="")
    else:
        invocation.report.lines(list(_prose(story)), {})
    return 0


def _items(story: MemberStory) -> Iterator[wire.Line]:
    head = wire.plain(story)
    parts = {name: head.pop(name) for name in ("fields", "steps", "editions")}
    yield {"type": "story", **head}
    for field in parts["fields"]:
        yield {"type": "field", **field}
    for step in parts["steps"]:
        yield {"type": "step", **step}
    for edition, value in zip(parts["editions"], story.editions, strict=True):
        decided = value.decided
        yield {"type": "mailing", "verdict": value.verdict, "decided": decided and decided.rule, **edition}


def _prose(story: MemberStory) -> Iterator[str]:
    mail = f" <{story.email}>" if story.email else ""
    yield safe(f"{story.label}{mail}  {story.kind} {story.person_id}  member row {story.member_id or '–'}")
    yield safe(f"{story.campaign_name}  {story.campaign_id}")
    yield safe(f"{'✔' if story.verdict.startswith('would be') else '·'} {story.verdict}")
    for note in story.notes:
        yield safe(f"▲ {note}")
    if story.fields:
        yield ""
        rows = [[f.field, f.salesforce, f.predictive, f.base, f.state, f.rule] for f in story.fields]
        yield from columns(["Field", "Salesforce", "Predictive", "Agreed", "State", "Rule"], rows)
    if story.steps:
        yield ""
        rows = [
            [moment(step.at), step.source if step.kind is None else step.kind.value, _moved(step.before, step.after),
             step.rule, step.run or "", step.text]
            for step in story.steps
        ]  # fmt: skip
        yield from columns(["When (UTC)", "By", "Change", "Rule", "Run", "What"], rows)
    for edition in story.editions:
        yield ""
        yield from _edition(edition)
    yield ""
    yield f"Salesforce as read {instant(story.landed_at)}, Predictive as asked {instant(story.asked_at)} UTC"


def _moved(before: str | None, after: str | None) -> str:
    return "" if before is None and after is None else f"{'–' if before is None else before} → {after or '–'}"


def _edition(edition: EditionStory) -> Iterator[str]:
    glyph = {"mailed": "✔", "due": "▸", "unknown": "▲"}.get(edition.verdict, "·")
    yield safe(f"{glyph} edition {edition.slot} {edition.name}: {edition.verdict}")
    rows = [["✔ true" if one.holds else "✖ false", one.text, one.value, one.rule] for one in edition.conditions]
    yield from (f"  {line}" for line in columns(["Holds", "Condition", "Value", "Rule"], rows, widest=76))


def opt_in(invocation: Invocation) -> int:
    """Opt a member in again from an edition on."""
    shell, options = invocation.shell(), invocation.options
    campaign = shell.resolve(options.campaign)
    invocation.confirm(
        [
            f"{campaign.name}: {options.person} may be mailed again, from edition {options.from_edition} on",
            f"  reason, for the journal: {options.reason}",
        ],
        "Opt in?",
    )
    done = shell.opt_in(campaign.id, options.person, from_edition=options.from_edition, reason=options.reason)
    text = [f"✔ opted in: {safe(done.label)}, from edition {safe(done.edition)} on  run {done.run}"]
    text += [safe(f"  {sentence}") for sentence in done.told[1:]]
    invocation.report.lines(text, {"type": "opted-in", **wire.plain(done)})
    return 0


def unlock(invocation: Invocation) -> int:
    """Lift a campaign's lock-out."""
    shell, options = invocation.shell(), invocation.options
    campaign = shell.resolve(options.campaign)
    done = shell.unlock(campaign.id, options.reason)
    text = [f"✔ unlocked: {safe(done.name)}  run {done.run}", f"  it was locked because: {safe(done.was)}"]
    invocation.report.lines(text, {"type": "unlocked", **wire.plain(done)})
    return 0
