"""Runs a command and writes what it used of the machine into a file: exit code, CPU seconds, peak MiB.

A process of its own and a small one: what Linux tells as a child's peak begins with that of the process which made it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys


def main(out: str, command: list[str]) -> int:
    """Run *command* with this process's own files; write JSON to the file *out*."""
    process = subprocess.Popen(command)
    # Waited for by hand, because only so the child's own use of processor and memory is told.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    used = {"code": process.returncode, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1_024}
    with open(out, "w", encoding="utf-8") as file:
        json.dump(used, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
