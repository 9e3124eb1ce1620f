"""Where the console leaves its log and files for people. Standard library; platformdirs when asked."""

from __future__ import annotations

from pathlib import Path


def log_folder() -> Path:
    """Where log and crash reports are kept."""
    from platformdirs import user_log_path

    return user_log_path("predictive-console", appauthor=False)


def log_file() -> Path:
    """The present log."""
    return log_folder() / "predictive.log"


def exports_folder() -> Path:
    """Folder of what was exported: copies that no clipboard took, support bundles, saved plans."""
    from platformdirs import user_state_path

    return user_state_path("predictive-console", appauthor=False) / "exports"
