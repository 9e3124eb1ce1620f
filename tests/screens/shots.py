"""Writes screenshots/NAME-80x24 and -120x36 as SVG and PNG, from the same made-up data as the tests of screens.

Run as ``python -m tests.screens.shots [NAME …]``. The PNG needs resvg-py and a monospaced font; without either it is
left out and said so.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.screens.scenes import SCENES, plain_home, shoot

TARGET = Path(__file__).resolve().parents[2] / "screenshots"
SIZES = ((80, 24), (120, 36))
FONTS = ("DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono", "Menlo", "Consolas")


def font() -> str | None:
    """The first of the known monospaced fonts that is installed, None when it cannot be told."""
    try:
        known = subprocess.run(
            ["fc-list", ":", "family"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return next((name for name in FONTS if name in known), None)


def picture(svg: str, family: str) -> bytes | None:
    """*svg* as PNG on the exact grid of cells; None without resvg-py."""
    try:
        import resvg_py
    except ImportError:
        return None
    plain = svg.replace("arial", family).replace("Arial", family)
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=plain,
            monospace_family=family,
            sans_serif_family=family,
            serif_family=family,
            font_family=family,
            zoom=1,
        )
    )


async def main(names: list[str]) -> int:
    """Write the shots of *names*, all of them without any."""
    TARGET.mkdir(exist_ok=True)
    plain_home(os.environ.__setitem__)
    family = font()
    if family is None:
        print("no known monospaced font: SVG only", file=sys.stderr)
    for name in names or SCENES:
        for width, height in SIZES:
            svg = await shoot(name, (width, height))
            path = TARGET / f"{name}-{width}x{height}.svg"
            path.write_text(svg, encoding="utf-8")
            png = picture(svg, family) if family else None
            if png is not None:
                path.with_suffix(".png").write_bytes(png)
        print(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1:])))
