"""The console without the order of keys, for the control; run it as ``python -m tests.pty.unprotected``."""

from __future__ import annotations

import sys

from console.main import main
from console.typeahead import TypeAhead

if __name__ == "__main__":
    TypeAhead.holds = lambda self, event: False  # type: ignore[method-assign]
    sys.exit(main())
