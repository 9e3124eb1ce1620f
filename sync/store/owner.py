"""Who holds a run: this process, named so that another process on the same host can tell whether it still lives.

Standard library only. An owner is ``host:pid:start``. ``start`` is when the process was started, in the kernel's
ticks, because process ids are used again; where that cannot be read it is 0 and the id alone must do.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """The owner text of the calling process."""
    pid = os.getpid()
    return f"{_host()}:{pid}:{_start_of(pid)}"


def is_alive(owner: str) -> bool | None:
    """Whether the owner's process still runs; None when it is on another host or the text is not an owner."""
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    pid_text, start = rest, owner.rpartition(":")[2]
    if host != _host() or not pid_text.isdigit():
        return None
    pid = int(pid_text)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return start in ("0", str(_start_of(pid)))


def _host() -> str:
    """Host name and, where there are such, the name space of process ids: containers often share a host name."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{space}"


def _start_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The command name may hold spaces and brackets; the fields after its last bracket do not. State "Z" is a process
    # that has ended and was not yet collected: it holds nothing any more.
    fields = stat.rpartition(")")[2].split()
    return -1 if fields[0] in "ZX" else int(fields[19])
