"""One member's story as lines: why each edition is mailed or not, both sides field by field, what happened in order.

Pure: a story in, lines out.
"""

from __future__ import annotations

from datetime import datetime

from console.present import NONE, Line, ago, crop, crop_line, fit, instant, since, spread, wrap
from sync.story import EditionStory, FieldState, MemberStory, Step

TABS = ("mailing", "fields", "story")
TITLES = {"mailing": "Why mailed or not", "fields": "Both sides", "story": "What happened"}

_VERDICTS = {
    "mailed": ("✔ ", "good"),
    "due": ("◐ ", "accent"),
    "unknown": ("? ", "attention"),
    "not due": ("· ", "dim"),
}
_STATES = {
    "agreed": ("✔ ", "good"),
    "pending": ("◐ ", "attention"),
    "held": ("‖ ", "attention"),
    "rejected": ("✖ ", "trouble"),
    "invisible": ("◌ ", "attention"),
    "different": ("≠ ", "attention"),
    "absent": ("○ ", "dim"),
}


def head_lines(story: MemberStory, tab: str, now: datetime, width: int) -> tuple[Line, ...]:
    """Who it is, the verdict in a sentence, notes, and the tabs."""
    sign = _STATES.get(story.state, ("· ", "dim"))
    mail = f"  {story.email}" if story.email else "  no e-mail address"
    lines: list[Line] = [
        spread(
            [("   ", ""), (story.label, "strong"), (mail, "dim"), (f"  {story.kind}", "dim")],
            [sign, (f"{story.state} ", "")],
            width,
        )
    ]
    good = story.verdict.startswith("would be")
    for place, part in enumerate(wrap(story.verdict[:1].upper() + story.verdict[1:], width - 6)[:2]):
        glyph = ("✔ ", "good") if good else ("→ ", "key")
        lines.append((("   ", ""), glyph if not place else ("  ", ""), (part, "strong" if not place else "")))
    lines += [crop_line((("   ", ""), ("▲ ", "attention"), (note, "")), width) for note in story.notes[:2]]
    line: list[tuple[str, str]] = [("   ", "")]
    for name in TABS:
        line += [(TITLES[name], "tab" if name == tab else "dim"), ("   ", "")]
    read = f"org read {since(story.landed_at, now)}" if story.landed_at else "org not read yet"
    return (*lines, (), spread(line, [(f"{read} ", "faint")] if width >= 72 else [], width), ())


# ---------------------------------------------------------------- mailing


def edition_head(width: int) -> Line:
    """Titles."""
    return (("   ", ""), (fit("", 2), ""), (fit("Edition", 22), "head"), (fit("Mail", 10), "head"), ("Why", "head"))


def edition_row(edition: EditionStory, now: datetime, width: int) -> Line:
    """One edition: mailed and what came of it, or the condition that decided."""
    sign = _VERDICTS.get(edition.verdict, ("· ", "dim"))
    decided = edition.decided
    if edition.mail is not None:
        mail = edition.mail
        came = [
            word
            for word in ("opened", "clicked", "completed", "bounced", "opted_out", "complained")
            if getattr(mail, word)
        ]
        why = f"{ago(mail.at, now)} to {mail.email}" + (f", {', '.join(came).replace('_', ' ')}" if came else "")
    elif decided is not None:
        why = decided.failing
    else:
        why = "every condition holds; the next hourly run mails it"
    return crop_line(
        (
            ("   ", ""),
            sign,
            (fit(f"{edition.slot} {edition.name}", 22), ""),
            (fit(edition.verdict, 10), ""),
            (why, "dim" if decided is None else ""),
        ),
        width,
    )


def condition_lines(edition: EditionStory | None, width: int, most: int) -> tuple[Line, ...]:
    """Every condition of sending for the chosen edition, with its value; the one that decided is marked."""
    if edition is None:
        return ()
    lines: list[Line] = [(("   ", ""), (f"{edition.slot} {edition.name}", "strong"), (": every condition", "dim"))]
    decided = edition.decided
    room = most - 1
    shown = edition.conditions
    if len(shown) > room:
        # Where not all fit, those that fail are what is looked for.
        failing = [each for each in shown if not each.holds]
        holding = [each for each in shown if each.holds]
        kept = {each.rule for each in [*failing, *holding][: room - 1]}
        shown = tuple(each for each in shown if each.rule in kept)
    for condition in shown:
        sign = ("✔ ", "good") if condition.holds else ("✖ ", "trouble")
        size = 30 if width < 76 else 40 if width < 100 else 62
        text = fit(crop(condition.text.rstrip("."), size), size + 1)
        words = [("   ", ""), sign, (text, "strong" if condition is decided else "")]
        lines.append(crop_line((*words, (condition.value, "dim")), width))
    if len(shown) < len(edition.conditions):
        hidden = len(edition.conditions) - len(shown)
        what = "that hold" if all(each.holds or each in shown for each in edition.conditions) else "conditions"
        lines.append(((f"     and {hidden} more {what}; a higher window shows them", "dim"),))
    return tuple(lines)


# ---------------------------------------------------------------- both sides


def field_head(width: int) -> Line:
    """Titles."""
    size = _side(width)
    return (
        ("   ", ""),
        (fit("", 2), ""),
        (fit("Field", 13), "head"),
        (fit("Salesforce", size - 1) + " ", "head"),
        (fit("Predictive", size - 1) + " ", "head"),
        (fit("Agreed", size - 1) + " ", "head"),
        ("State", "head"),
    )


def _side(width: int) -> int:
    return max(11, min(30, (width - 29) // 3))


def field_row(field: FieldState, width: int) -> Line:
    """One field as either side and the base have it."""
    size = _side(width)
    quiet = "dim" if field.state == "agreed" else ""
    return crop_line(
        (
            ("   ", ""),
            _STATES.get(field.state, ("· ", "dim")),
            (fit(field.field.replace("_", " "), 13), ""),
            (fit(field.salesforce or NONE, size - 1) + " ", quiet),
            (fit(field.predictive or NONE, size - 1) + " ", quiet),
            (fit(field.base or NONE, size - 1) + " ", "dim"),
            (field.state, quiet),
            (f"  {field.rule}" if width >= 100 else "", "faint"),
        ),
        width,
    )


def field_line(field: FieldState | None, width: int) -> Line:
    """Which rule decides about the chosen field."""
    if field is None:
        return ()
    return crop_line((("   ", ""), (field.field.replace("_", " "), "strong"), (f": {field.rule}", "dim")), width)


# ---------------------------------------------------------------- what happened


def step_head(width: int) -> Line:
    """Titles."""
    return (("   ", ""), (fit("When", 10), "head"), (fit("By", 12), "head"), ("What", "head"))


def step_row(step: Step, now: datetime, width: int) -> Line:
    """One thing that happened."""
    by = step.kind.value if step.kind else step.source.capitalize()
    tone = "" if step.state in ("", "written") else "attention"
    return crop_line(
        (("   ", ""), (fit(ago(step.at, now), 10), "dim"), (fit(by, 12), "dim"), (_said(step), tone)),
        width,
    )


def _said(step: Step) -> str:
    if step.field and (step.before or step.after) and step.field not in ("member", "mail"):
        return f"{step.text}: {step.field} {step.before or NONE} → {step.after or NONE}"
    return step.text


def step_lines(step: Step | None, width: int) -> tuple[Line, ...]:
    """The chosen step in full."""
    if step is None:
        return ()
    parts = [instant(step.at)]
    parts += [f"run {step.run}"] if step.run else []
    parts += [step.state] if step.state else []
    parts += [f"rule {step.rule}"] if step.rule else []
    parts += [step.code] if step.code else []
    first = (("   ", ""), (crop(_said(step), width - 4), ""))
    second = (("   ", ""), (crop(" · ".join(parts), width - 4), "dim"))
    if step.remedy:
        return first, second, (("   → ", "key"), (crop(step.remedy, width - 6), ""))
    return first, second
