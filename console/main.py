"""The entry of the command ``predictive``: parse, run the command's handler, turn every ending into an exit code.

Imports next to nothing, so that ``--help`` costs little: Textual, SQLAlchemy, httpx and simple_salesforce are loaded
by the handlers that need them. No traceback ever reaches the terminal; an unexpected one goes into a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from console.cli.streams import lost_words, to_nowhere
from sync.errors import PredictiveError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    _open_what_was_closed()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a glyph gets an escape instead of an exception.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    return _settle(code)


def _open_what_was_closed() -> None:
    """A program may be started without standard streams (``>&-``): what is said there then goes nowhere.

    The lowest free descriptor is what the next file gets, so that without this the state's database might be taken
    for standard output.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def _run(words: list[str]) -> int:
    from console.cli.quick import quick

    options: Any = quick(words)
    if options is None:
        from console.cli.parser import parse

        try:
            options = parse(words)
        except PredictiveError as error:
            return _wrong_usage(error, words)
        except BrokenPipeError:
            return 0  # whoever wanted the help has read enough of it
    from console.cli.invocation import run_command

    return run_command(options)


def _wrong_usage(error: PredictiveError, words: list[str]) -> int:
    """One line; whoever reads JSON lines has a first and a last one all the same."""
    if "--json" in words:
        from console.cli.parser import program
        from console.report import JsonReport
        from sync.model import Calls

        JsonReport(sys.stdout, sys.stderr, program()).failure(error, None, simulated=False, calls=Calls())
    else:
        _say(error.line())
    return error.exit_code


def _say(line: str) -> None:
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        return


def _settle(code: int) -> int:
    """Flush, without a word about a reader that went away: that reader may have been ``head``."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and stream is sys.stdout:
                _say(lost_words(error))
                code = code or 1
            to_nowhere(stream)
        except ValueError:
            continue
    return code


if __name__ == "__main__":
    sys.exit(main())
