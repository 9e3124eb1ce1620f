"""A process that starts New Edition and dies without a word at a given event. Arguments: file with settings, campaign,
name of the event's class, name of the phase."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sync.bootstrap import open_shell
from sync.events import Event
from sync.settings import load_settings


def main(config: str, campaign: str, kind: str, phase: str) -> None:
    def die(event: Event) -> None:
        if type(event.body).__name__ == kind and getattr(event.body, "phase", "") == phase:
            os._exit(9)

    shell = open_shell(load_settings(Path(config), env=os.environ).org(), on_event=die)
    shell.new_edition(campaign)


if __name__ == "__main__":
    main(*sys.argv[1:])
