"""What New Edition says before it asks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from console.cli.runs import new_edition
from tests.screens.made import eight_campaigns


class Asked(Exception):
    """The question was put."""


@pytest.mark.parametrize("held", [0, 15])
def test_members_that_an_undo_keeps_out_are_said_with_the_command(held: int) -> None:
    view = replace(eight_campaigns()[0], held=held)
    said: list[str] = []

    def confirm(lines: list[str], question: str) -> None:
        said.extend(lines)
        raise Asked(question)

    shell = SimpleNamespace(detail=lambda _id: SimpleNamespace(view=view))
    invocation: Any = SimpleNamespace(
        shell=lambda: shell,
        campaigns=lambda: (view.campaign,),
        confirm=confirm,
        options=SimpleNamespace(queue=False, allow=[], reason=None, confirm=None),
    )
    with pytest.raises(Asked):
        new_edition(invocation)
    text = "\n".join(said)
    assert ("15 members stay as an undo left them" in text) is bool(held)
    assert (f"predictive runs release {view.campaign.id} --all --reason TEXT" in text) is bool(held)
