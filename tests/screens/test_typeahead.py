"""Keys that come in one piece: each reaches the screen that the ones before it lead to. The control takes that away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from textual.events import Event, Key

from console.app import ConsoleApp
from console.screens.dialogs import Ask
from console.typeahead import TypeAhead
from tests.screens.fakes import FakeBackend
from tests.screens.scenes import console
from tests.screens.waiting import frame, handled, settle, until

SIZE = (80, 24)
NAMES = {"/": "slash", ":": "colon", ";": "semicolon", " ": "space", "\r": "enter", "\x1b": "escape", "\t": "tab"}


def events(keys: Sequence[str]) -> list[Key]:
    """Keys as the terminal's driver makes them: letters, and names of other keys."""
    out = []
    for key in keys:
        name = NAMES.get(key, key)
        out.append(Key(name, key if len(key) == 1 and key.isprintable() else None))
    return out


Seen = Callable[[ConsoleApp, str], bool]
BURSTS: tuple[tuple[tuple[str, ...], Seen], ...] = (
    # There and back, and on.
    (("\r", "\x1b", "down", "down"), lambda app, text: " ▸ " in text.splitlines()[6]),
    # Another view, then down and into a run of it.
    (("2", "down", "\r"), lambda app, text: app.front.PLACE == "run"),
    # A campaign is opened, its tab of members, and the list filtered.
    (("\r", "shift+tab", "/", "0", "0", "3", "\r"), lambda app, text: "“003”. esc shows all" in text),
    # A view that replaces another, filtered.
    (("2", "7", "/", "x", "y", "\r"), lambda app, text: app.front.PLACE == "log" and "xy" in text),
    # A command that opens a campaign by name, then its tab of members.
    ((":", *"campaign Trial", "\t", "\r", "shift+tab"), lambda app, text: "@" in text and "Trial" in text),
    # A menu, and what its letter does.
    (("b", "m"), lambda app, text: app.front.PLACE == "run"),
)


QUICK = 2


@pytest.mark.parametrize(
    ("keys", "seen"),
    [
        pytest.param(*each, id=" ".join(each[0]), marks=[pytest.mark.slow] * (place >= QUICK))
        for place, each in enumerate(BURSTS)
    ],
)
async def test_keys_in_one_piece_do_what_keys_one_by_one_do(keys: tuple[str, ...], seen: Seen) -> None:
    app = console(FakeBackend())
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        burst(app, keys)
        await settle(pilot)
        assert seen(app, "\n".join(frame(app))), "\n".join(frame(app))


def burst(app: ConsoleApp, keys: Sequence[str]) -> None:
    """Send *keys* at once."""
    assert app._driver is not None
    for event in events(keys):
        event.set_sender(app)
        app._driver.send_message(event)


@pytest.mark.slow
async def test_without_the_protection_keys_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: TypeAhead, event: Event) -> bool:
        return False

    monkeypatch.setattr(TypeAhead, "holds", never)
    lost = 0
    for keys, seen in BURSTS:
        app = console(FakeBackend())
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            burst(app, keys)
            for _ in range(6):
                # Keys pass from queue to queue as they bubble; protected ones are waited for, these are not.
                await settle(pilot)
            lost += not seen(app, "\n".join(frame(app)))
    assert lost >= 3


async def test_a_question_is_not_answered_before_it_was_seen() -> None:
    backend = FakeBackend()
    app = console(backend)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        burst(app, ("b", "n", "y"))
        await settle(pilot)
        assert isinstance(app.screen, Ask)
        assert "batch" not in backend.calls
        burst(app, ("y",))
        await settle(pilot)
        assert app.front.PLACE == "run"
        assert "batch" in backend.calls


async def test_a_key_typed_ahead_does_not_wait_for_a_plan() -> None:
    backend = FakeBackend()
    backend.hold.clear()
    app = console(backend)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        burst(app, ("s", "\x1b", "down"))
        await settle(pilot)
        assert app.front.PLACE == "overview"
        assert " ▸ " in frame(app)[5]
        backend.hold.set()


async def test_keys_keep_their_order_when_one_never_comes_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.typeahead.LONGEST", 0.02)
    monkeypatch.setattr(TypeAhead, "_at_rest", lambda self: False)
    app = console(FakeBackend())
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        burst(app, ("down", "down", "/", *"abc"))
        await settle(pilot)
        assert app.front.open_prompt is not None


async def test_whoever_leaves_with_the_first_key_waits_for_nothing_that_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.typeahead.LONGEST", 3_600.0)
    app = console(FakeBackend())
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        app.typed = TypeAhead(app, lambda: True)  # the screen is painted, and what it shows is read for long
        burst(app, ("q", "q"))  # the second keeps the app from being at rest when the first comes
        await until(lambda: app.return_code is not None or app._exit, "the end")


async def test_another_first_key_waits_for_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control, and the protection of all other keys."""
    monkeypatch.setattr("console.typeahead.LONGEST", 3_600.0)
    reading = True
    app = console(FakeBackend())
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        app.typed = TypeAhead(app, lambda: reading)
        burst(app, ("slash", "a"))
        await handled(pilot)
        assert app.typed.waiting
        assert app.front.open_prompt is None
        reading = False
        await until(lambda: app.front.open_prompt is not None, "the filter")
