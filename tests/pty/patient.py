"""The console that holds a frame for long; run it as ``python -m tests.pty.patient``.

A screen that takes longer to open than a frame may be held is shown as far as it is, and on a machine that stands still
for a tenth of a second any screen does. Whoever presses hundreds of keys looks for what flickers without that.
"""

from __future__ import annotations

import sys

from console.host import Host
from console.main import main

if __name__ == "__main__":
    Host.LONGEST_HOLD = 5.0
    sys.exit(main())
