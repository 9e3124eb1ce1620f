"""Where the console leaves files for people. Standard library; platformdirs when asked."""

from __future__ import annotations

from pathlib import Path


def exports_folder() -> Path:
    """Folder of what was exported: copies that no clipboard took, support bundles, saved plans."""
    from platformdirs import user_state_path

    return user_state_path("predictive-console", appauthor=False) / "exports"
