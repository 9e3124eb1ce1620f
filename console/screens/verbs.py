"""Keys that act on one campaign, for the screens that have one in front. Imports the base screen."""

from __future__ import annotations

from console.screens.base import ConsoleScreen
from sync.views import CampaignView


class CampaignKeys(ConsoleScreen):
    """Subclasses say which campaign it is."""

    @property
    def subject(self) -> CampaignView | None:
        """The campaign that the keys act on."""
        return None

    def do_new_edition(self) -> None:
        """Ask, then the initial sync."""
        if self.subject:
            self.host.start_new_edition(self.subject)

    def do_pause_one(self) -> None:
        """Timers leave the campaign out, or take it again."""
        if self.subject:
            self.host.start_pause_one(self.subject)

    def do_unlock(self) -> None:
        """Ask for a reason, then lift the lock-out."""
        if self.subject:
            self.host.start_unlock(self.subject)

    def do_clear_auto(self) -> None:
        """Ask, then take auto-sync off."""
        if self.subject:
            self.host.start_clear_auto(self.subject)

    def do_load(self) -> None:
        """Read the org's list, which brings each campaign's own figures along."""
        self.host.start_load()
