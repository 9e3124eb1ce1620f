"""The floor that the console's first paint is measured against: a Textual app with one label."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import Label


class OneLabel(App[None]):
    """One label; q quits."""

    BINDINGS: ClassVar = [("q", "quit", "Quit")]

    def compose(self) -> ComposeResult:
        """One label."""
        yield Label("one label, nothing else")


if __name__ == "__main__":
    OneLabel().run()
