"""Commands that set up and keep: pause and resume the timers, migrate the state, write what one starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.prose import WRITABLE
from sync.errors import ConfigError, UsageError
from sync.words import plural

if TYPE_CHECKING:
    from console.cli.invocation import Invocation


def pause(invocation: Invocation) -> int:
    """Pause the timers of the org, or of one campaign."""
    shell, options = invocation.shell(), invocation.options
    campaign = shell.resolve(options.campaign) if options.campaign is not None else None
    shell.pause_schedule(options.note or "", campaign_id=campaign.id if campaign else None)
    what = campaign.name if campaign else "all timers"
    invocation.report.lines([f"⏸ paused: {what}"], {"type": "paused", "campaign": campaign.id if campaign else None})
    return 0


def resume(invocation: Invocation) -> int:
    """Let them run again."""
    shell, options = invocation.shell(), invocation.options
    campaign = shell.resolve(options.campaign) if options.campaign is not None else None
    shell.resume_schedule(campaign_id=campaign.id if campaign else None)
    what = campaign.name if campaign else "all timers"
    invocation.report.lines([f"✔ resumed: {what}"], {"type": "resumed", "campaign": campaign.id if campaign else None})
    return 0


TEMPLATE = """\
# Predictive Console. Secrets are never in this file: they come from the environment, from a file that only its owner
# can read, or from the keyring. predictive doctor says what is missing. A new org starts read-only.

[orgs.main]
read_only = true

[orgs.main.salesforce]
instance_url = "https://YOUR-DOMAIN.my.salesforce.com"

[orgs.main.predictive]
base_url = "https://PREDICTIVE-HOST"
"""


def init(invocation: Invocation) -> int:
    """Write a configuration to start from, or the org's fields as source; an existing file is never touched."""
    if invocation.options.metadata is not None:
        return _metadata(invocation, Path(invocation.options.metadata))
    from sync.settings import default_config_path

    path = Path(invocation.options.config) if invocation.options.config is not None else default_config_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists already", left_undone="it was not touched", remedy="edit it, or name another with --config"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror}",
            left_undone="nothing was written",
            remedy=f"{WRITABLE} with --config",
        ) from error
    invocation.report.lines([f"✔ written: {path}"], {"type": "written", "path": str(path)})
    return 0


def _metadata(invocation: Invocation, folder: Path) -> int:
    from sync.deployable import deployable
    from sync.mapping import Mapping

    settings = invocation.load_settings()
    mapping = settings.org(invocation.options.org).mapping if settings.source is not None else Mapping()
    files = deployable(mapping)
    try:
        folder.mkdir(parents=True)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise UsageError(
            f"{folder} exists already", left_undone="nothing was written", remedy="name a folder that does not"
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot write {folder}: {error.strerror}",
            left_undone="the source was not written, or not all of it",
            remedy=WRITABLE,
        ) from error
    invocation.report.lines(
        [
            f"✔ written: {plural(len(files), 'file')} in {folder}",
            f"  deploy them:  cd {folder} && sf project deploy start --source-dir force-app",
            "  then assign the permission set Predictive_Integration to the integration user",
            f"  and copy {folder / 'mapping.toml'} into the configuration",
        ],
        {"type": "written", "path": str(folder), "files": len(files)},
    )
    return 0


def migrate(invocation: Invocation) -> int:
    """Opening the state brings it to the newest revision; say what that did."""
    store = invocation.shell().store
    before, now = store.revisions
    said = "made anew" if before is None else "was at the newest revision already" if before == now else "migrated"
    way = now if before in (None, now) else f"{before} → {now}"
    invocation.report.lines(
        [f"✔ {store.url}: {said}, {way}"], {"type": "migrated", "state": store.url, "from": before, "to": now}
    )
    return 0
