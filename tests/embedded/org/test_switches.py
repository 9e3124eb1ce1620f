"""The README's table of switches is the sandbox's."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from sync.embedded.org.state import Switches

README = Path(__file__).parents[3] / "README.md"


def test_every_switch_is_in_the_readme() -> None:
    part = README.read_text("utf-8").partition("**Switches**")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z]+_[a-z_]+|overrun|collate)`", part))
    assert told == {one.name for one in fields(Switches)}


def test_every_switch_explains_itself() -> None:
    assert Switches.__doc__ is not None
    for one in fields(Switches):
        assert f"``{one.name}``" in Switches.__doc__
