"""Checks of the set-up, each with its remedy; they use the network, so they run when a key asks for it.

Imports Textual and the base screen.
"""

from __future__ import annotations

from textual.app import ComposeResult

from console.messages import RowMoved
from console.present import Line, cells, crop, fit, wrap
from console.screens.base import ConsoleScreen, bindings_for
from console.widgets.grid import Grid
from console.widgets.paint import Lines
from sync.errors import PredictiveError
from sync.views import Check

_SIGNS = {"ok": ("✔ ", "good"), "attention": ("▲ ", "attention"), "trouble": ("✖ ", "trouble")}


def row(check: Check, width: int) -> Line:
    """One check."""
    sign = _SIGNS.get(check.state, ("· ", "dim"))
    return (
        ("   ", ""),
        sign,
        (fit(check.name, 22), "" if check.state == "ok" else "strong"),
        (crop(check.text, width - 29), "dim" if check.state == "ok" else ""),
    )


def summary(checks: tuple[Check, ...]) -> Line:
    """How many are not well."""
    trouble = sum(check.state == "trouble" for check in checks)
    attention = sum(check.state == "attention" for check in checks)
    if not trouble and not attention:
        return (("   ", ""), ("✔ ", "good"), (f"All {len(checks)} checks are well.", "strong"))
    parts = [f"{trouble} in trouble"] if trouble else []
    parts += [f"{attention} need{'s' if attention == 1 else ''} attention"] if attention else []
    return (("   ", ""), (", ".join(parts), "strong"), (f"  of {len(checks)} checks", "dim"))


CHECKED = "Login, rights and fields in Salesforce, the service, clocks, secrets, state, package names."


def teaching(width: int) -> tuple[Line, ...]:
    """What is shown before anything was checked."""
    return (
        (("   What is wrong with the set-up, and what to do about it.", "strong"),),
        (),
        *(((f"   {part}", "dim"),) for part in wrap(CHECKED, width - 6)),
        (("   ", ""), ("g", "key"), (" checks now; that takes a few calls and writes nothing.", "")),
    )


class DoctorScreen(ConsoleScreen):
    """Checks."""

    PLACE = "doctor"
    BINDINGS = bindings_for("doctor")

    def __init__(self) -> None:
        super().__init__()
        self._checks: tuple[Check, ...] = ()
        self._asking = False

    def body(self) -> ComposeResult:
        """Summary, list, remedy."""
        yield Lines(id="head")
        yield Grid(self._line, id="grid")
        yield Lines(id="remedy", classes="gap")

    def paint(self) -> None:
        """What was found."""
        grid = self.query_one(Grid)
        self.query_one("#head", Lines).show((summary(self._checks), ()) if self._checks else ())
        grid.empty = ((("   ◐ Checking …", "dim"),),) if self._asking else teaching(self.size.width)
        grid.show(len(self._checks))
        self._paint_remedy()

    def _paint_remedy(self) -> None:
        cursor = self.query_one(Grid).cursor
        chosen = self._checks[cursor] if cursor < len(self._checks) else None
        width = self.size.width
        lines: list[Line] = []
        if chosen is not None and cells(chosen.text) > width - 29:
            # The list cut it.
            lines += [((f"   {part}", "dim"),) for part in wrap(chosen.text, width - 6)[:3]]
        parts = wrap(chosen.remedy, width - 8)[:3] if chosen is not None else []
        lines += [(("   ", ""), ("→ " if not i else "  ", "accent"), (part, "")) for i, part in enumerate(parts)]
        self.query_one("#remedy", Lines).show(tuple(lines))

    def _line(self, index: int, width: int) -> Line:
        return row(self._checks[index], width)

    def on_row_moved(self, message: RowMoved) -> None:
        """Another check's remedy."""
        self._paint_remedy()

    def do_check(self) -> None:
        """Run them in a thread."""
        if self._asking:
            return
        self._asking = True
        self._checks = ()
        self.paint()
        job = self.host.bridge.act("Doctor", lambda backend, cancel: backend.doctor(), writes=False)
        here = self.host.outside.checks or tuple

        async def wait() -> None:
            try:
                own = await self.host.bridge.aside(here)
                # What both look at is said once.
                known = {check.name for check in own}
                self._checks = own
                there = await self.host.bridge.result(job)
                self._checks = (*own, *(check for check in there if check.name not in known))
                worst = {"trouble": 0, "attention": 1}
                first = min(range(len(self._checks)), key=lambda i: worst.get(self._checks[i].state, 2), default=0)
                self.query_one(Grid).cursor = first
            except PredictiveError as error:
                # What was found before it stands; the error is a finding itself.
                self._checks = (*self._checks, Check("both sides", "trouble", error.what, error.remedy))
                self.query_one(Grid).cursor = len(self._checks) - 1
            finally:
                self._asking = False
            self.refresh_all()

        self.load(wait, "doctor", long=True)
