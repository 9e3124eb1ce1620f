"""Which widgets a partial repaint touches: those that show in the changed lines, and of them only these lines.

Textual renders every widget whose clipping overlaps the box around all changes, with all of its lines, also what is
wholly covered: for a cursor that moves by one row that is the whole screen, three times over. Here each changed line is
taken from the topmost widgets until it is full. Imports Textual's compositor; what is painted is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from textual._compositor import Compositor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def runs(lines: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs: first, and the one behind the last."""
    out: list[tuple[int, int]] = []
    for line in lines:
        if out and out[-1][1] == line:
            out[-1] = (out[-1][0], line + 1)
        else:
            out.append((line, line + 1))
    return out


class Repainter(Compositor):
    """A compositor that renders no line that nobody will see changed."""

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        cuts = self.cuts
        chops: list[dict[int, Strip | None]] = [dict.fromkeys(line[:-1]) for line in cuts]
        # Lines with cells that no widget has filled so far, and how many parts of each are still missing.
        missing = {y: len(chops[y]) for y in crop.line_range if y < len(chops) and is_rendered_line(y)}
        for widget, (region, clip) in self.visible_widgets.items():
            if not missing:
                break
            seen = region.intersection(clip)
            for top, end in runs(y for y in seen.line_range if y in missing):
                strips = widget.render_lines(Region(seen.x - region.x, top - region.y, seen.width, end - top))
                for y, strip in zip(range(top, end), strips, strict=False):
                    own = [cut for cut in cuts[y] if seen.x <= cut <= seen.right]
                    missing[y] -= _fill(chops[y], strip, own, seen.x)
                    if not missing[y]:
                        del missing[y]
        return cast("Sequence[Mapping[int, Strip]]", chops)


def at_once(widget: Widget) -> None:
    """Paint what *widget* has to paint now, not at the next tick: for what answers a key.

    Does nothing while painting is held back, or when the layout changes anyway.
    """
    screen = widget.screen
    if screen.is_current and not (screen.app._batch_count or screen._layout_required or screen._scroll_required):
        screen._compositor.update_widgets(screen._dirty_widgets | {widget})
        screen._compositor_refresh()


def _fill(line: dict[int, Strip | None], strip: Strip, cuts: Sequence[int], left: int) -> int:
    """Put *strip*, which begins at *left*, where *line* has nothing yet; how many parts that were."""
    filled = 0
    for cut, part in zip(cuts, strip.divide([cut - left for cut in cuts[1:]]), strict=False):
        if line.get(cut) is None:
            line[cut] = part
            filled += 1
    return filled
