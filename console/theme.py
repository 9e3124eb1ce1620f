"""What the console looks like: one accent, three signals, two greys, in a dark, a light and a 16-colour dress.

Pure data for Textual and for the line painters; imports Textual's theme type and Rich's style. Rows name tones
(``good``, ``dim``, ``key`` …); this module alone says what a tone is, so that no screen holds a colour.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

DARK, LIGHT, ANSI = "predictive-dark", "predictive-light", "predictive-16"


@dataclass(frozen=True, slots=True)
class Dress:
    """The colours of one theme, as Rich writes them; "default" leaves a colour to the terminal."""

    name: str
    dark: bool
    ground: str
    raised: str
    cursor: str
    text: str
    dim: str
    faint: str
    accent: str
    good: str
    attention: str
    trouble: str
    on_signal: str
    bar: str


DRESSES = {
    dress.name: dress
    for dress in (
        Dress(
            DARK, True, "#0f1419", "#171e26", "#1c2733", "#d5dce4", "#8795a3", "#46525e",
            "#6cb2f7", "#7cc58b", "#e5b454", "#f0736f", "#0f1419", "#5d7083",
        ),
        Dress(
            LIGHT, False, "#fbfbf8", "#f1f2ee", "#e3ecf7", "#1f262d", "#65707b", "#b4bcc4",
            "#0b5fbd", "#1d7a3a", "#8f5f00", "#c4262d", "#ffffff", "#8c98a5",
        ),
        Dress(
            ANSI, True, "default", "default", "default", "default", "bright_black", "bright_black",
            "cyan", "green", "yellow", "red", "black", "default",
        ),
    )
}  # fmt: skip


def _ansi(color: str) -> str:
    return color if color.startswith("#") else f"ansi_{color}"


def textual_theme(dress: Dress) -> Theme:
    """*dress* as a Textual theme; the style sheets use its variables and no colour of their own."""
    return Theme(
        name=dress.name,
        ansi=not dress.ground.startswith("#"),
        dark=dress.dark,
        primary=_ansi(dress.accent),
        secondary=_ansi(dress.accent),
        accent=_ansi(dress.accent),
        success=_ansi(dress.good),
        warning=_ansi(dress.attention),
        error=_ansi(dress.trouble),
        foreground=_ansi(dress.text),
        background=_ansi(dress.ground),
        surface=_ansi(dress.raised),
        panel=_ansi(dress.raised),
        boost=_ansi(dress.raised),
        variables={
            # Textual's own sheets ask an ANSI theme for names that others do not have.
            **(BUILTIN_THEMES["ansi-dark"].variables if dress.ground == "default" else {}),
            "quiet": _ansi(dress.dim),
            "faint": _ansi(dress.faint),
            "input-cursor-background": _ansi(dress.accent),
            "input-cursor-foreground": _ansi(dress.on_signal),
            "block-cursor-background": _ansi(dress.accent),
            "block-cursor-foreground": _ansi(dress.on_signal),
            "block-cursor-text-style": "none",
        },
    )


def tones(dress: Dress) -> dict[str, Style]:
    """Style of every tone that a line may name."""
    ansi = not dress.ground.startswith("#")
    return {
        "": Style(color=dress.text),
        "strong": Style(color=dress.text, bold=True),
        "dim": Style(color=dress.dim),
        "faint": Style(color=dress.faint),
        "bar": Style(color=dress.bar),
        "accent": Style(color=dress.accent),
        "key": Style(color=dress.accent, bold=True),
        "head": Style(color=dress.dim),
        "good": Style(color=dress.good),
        "attention": Style(color=dress.attention),
        "trouble": Style(color=dress.trouble),
        "gone": Style(color=dress.dim, strike=True),
        "badge": Style(color=dress.on_signal, bgcolor=dress.trouble, bold=True),
        "cursor": Style(bold=True) if ansi else Style(bgcolor=dress.cursor),
        "jump": Style(color=dress.on_signal, bgcolor=dress.accent, bold=True),
        "tab": Style(color=dress.accent, bold=True, underline=True),
    }
