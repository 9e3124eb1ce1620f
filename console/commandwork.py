"""What the ``:`` prompt does with a typed line: the app's last verbs.

Imports Textual; the commands themselves are the palette's, imported when first asked for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from console.campaignwork import CampaignWork
from console.host import COMMAND
from sync.errors import PredictiveError

if TYPE_CHECKING:
    from console.palette import Command


class CommandWork(CampaignWork):
    """Commands by name, campaigns by id or exact name."""

    def command(self, line: str) -> None:
        """What was typed at the ``:`` prompt."""
        from console.palette import COMMANDS, meant

        found, name, words = meant(line, self.extra_commands)
        if found is not None and not found.understands(words):
            self.front.say(f"{found.usage}: {found.text}.", "·", "attention")
        elif found is not None and found.campaigns:
            self.beside(partial(self._with_campaigns, found, words), COMMAND, exclusive=True)
        elif found is not None:
            found.do(self, words)
        elif name in self.extra_commands:
            run = self.extra_commands[name]
            self.small(line, lambda backend, cancel: run(words), lambda text: self._printed(line, text))
        else:
            known = ", ".join(sorted({*(command.name for command in COMMANDS), *self.extra_commands}))
            self.front.say(f"No command is called {name}. Commands: {known}.", "·", "attention")

    def _printed(self, line: str, text: str) -> str:
        """What a command printed: a line is a note, more is a screen of its own."""
        if "\n" not in text:
            return text or f"{line}: done."
        from console.screens.text import TextScreen

        self.push_screen(TextScreen(line, text))
        return ""

    async def _with_campaigns(self, found: Command, words: tuple[str, ...]) -> None:
        names = words if len(words) > 1 and self._all_known(words) else (" ".join(words),)
        try:
            ids = tuple([await self._id_of(name) for name in names])
        except PredictiveError as error:
            self.front.say_error(error)
            return
        if found.name in ("sync", "plan") and self.bridge.writing is not None:
            self.front.say(f"{self.bridge.writing.title} is running; 0 shows it.", "·", "attention")
            return
        if found.name in ("new-edition", "refresh") and self.situation().read_only:
            self.front.say("The console is read-only.", "·", "attention")
            return
        found.do(self, ids)

    async def _id_of(self, name: str) -> str:
        """Id of a campaign by id or exact name; one that the list lacks is asked for beside the reads."""
        for view in self.shared.campaigns:
            if name in (view.campaign.id, view.campaign.id[:15]):
                return view.campaign.id
        named = [view.campaign.id for view in self.shared.campaigns if view.campaign.name == name]
        if len(named) == 1:
            return named[0]
        job = self.bridge.act(f"Look for {name}", lambda b, cancel: b.resolve(name), writes=False)
        return (await self.bridge.result(job)).id

    def _all_known(self, words: tuple[str, ...]) -> bool:
        known = {name for view in self.shared.campaigns for name in (view.campaign.name, view.campaign.id)}
        return all(word in known for word in words)
