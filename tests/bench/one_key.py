"""The floor that a key of the console is measured against: a Textual app with one label, which says the last key."""

from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Label


class OneKey(App[None]):
    """One label; every key but q is counted in it."""

    pressed = 0

    def compose(self) -> ComposeResult:
        """One label."""
        yield Label(" ▸ row 0", id="said")

    def on_key(self, event: Key) -> None:
        """Say how many there were."""
        if event.key == "q":
            self.exit()
        self.pressed += 1
        self.query_one("#said", Label).update(f" ▸ row {self.pressed}")


if __name__ == "__main__":
    OneKey().run()
