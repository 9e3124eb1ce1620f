"""Parses a command line with the command table: common options before or after the command, nearest names for typos.

Standard library and the table only. Every error is a ``UsageError`` with one line; nothing here exits the process
except ``--help`` and ``--version``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from console.cli.table import BY_NAME, COMMANDS, COMMON, Argument, Command
from sync.errors import UsageError

HIGHEST_PORT = 65_535


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", remedy=f"see {self.prog} --help")


def _width() -> int:
    """Columns for help; argparse's own way of asking loads the archive formats of shutil, a tenth of the whole."""
    try:
        return max(20, (int(os.environ.get("COLUMNS", "")) or os.get_terminal_size(1).columns) - 2)
    except (ValueError, OSError):
        try:
            return max(20, os.get_terminal_size(1).columns - 2)
        except OSError:
            return 78


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        parser.exit(0, program() + "\n")


def program() -> str:
    """Name and version, e.g. ``predictive-console 0.1.0``."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"predictive-console {version('predictive-console')}"
    except PackageNotFoundError:
        return "predictive-console (not installed)"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of a command line, with ``command`` (a ``Command``) and a value, None or False for each argument.

    Raises:
        UsageError: unknown command or option (the nearest known one is named), missing or wrong value.
        SystemExit: 0, after ``--help`` or ``--version`` printed.
    """
    words, name = _find_command(list(argv))
    parser, subparsers = _build(name)
    options, extra = parser.parse_known_args(words)
    command = BY_NAME[name or ""]
    chosen = subparsers.get(command.name, parser)
    if extra:
        chosen.error(_unknown(extra, command))
    for argument in (*COMMON, *command.arguments):
        if not hasattr(options, argument.dest):
            setattr(options, argument.dest, _absent(argument))
    options.command = command
    return options


def _absent(argument: Argument) -> Any:
    if argument.kind == "switch":
        return False
    return [] if argument.kind == "many" else None


def _find_command(words: list[str]) -> tuple[list[str], str | None]:
    """The words with a two-word command joined into one, and the command's name (None: open the console)."""
    position = _next_word(words, 0)
    if position >= len(words):
        return words, None
    second = _next_word(words, position + 1)
    double = " ".join(words[position : position + 1] + words[second : second + 1])
    if double in BY_NAME:
        return [*words[:position], double, *words[position + 1 : second], *words[second + 1 :]], double
    name = words[position]
    if name not in BY_NAME:
        nearest = _nearest(name, [item.name for item in COMMANDS])
        raise UsageError(f"unknown command {name!r}, {nearest}", remedy="see predictive --help")
    return words, name


def _next_word(words: list[str], position: int) -> int:
    """Where the first word from *position* on stands that is neither a common option nor the value of one."""
    takes_value = {item.name for item in COMMON if item.kind != "switch"}
    while position < len(words) and words[position].startswith("-"):
        position += 2 if words[position] in takes_value else 1
    return position


def _nearest(word: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, [item for item in known if item], n=1, cutoff=0.5)
    return f"the nearest is {near[0]!r}" if near else "none is like it"


def _unknown(extra: list[str], command: Command) -> str:
    word = extra[0].partition("=")[0]
    if not word.startswith("-"):
        return f"unexpected argument {extra[0]!r}"
    known = ["--help", *(item.name for item in (*COMMON, *command.arguments) if item.is_option)]
    return f"unknown option {word!r}, {_nearest(word, known)}"


def _build(name: str | None) -> tuple[_Parser, dict[str, _Parser]]:
    """The whole parser, or only the part that *name* needs: building 25 parsers costs more than parsing."""
    common = _Parser(add_help=False, allow_abbrev=False)
    group = common.add_argument_group("common options, before or after the command")
    for argument in COMMON:
        _add(group, argument)
    parser = _Parser(
        prog="predictive",
        usage="predictive [options] [COMMAND …]",
        description="Operator console and sync engine for Salesforce campaigns. Without a command: open the console.",
        epilog=_overview() if name is None else None,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=_width()),
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    subparsers: dict[str, _Parser] = {}
    if name is not None:
        command = BY_NAME[name]
        actions = parser.add_subparsers(metavar="COMMAND", prog="predictive")
        child = actions.add_parser(
            name,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=command.about or None,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, width=_width()),
            parents=[common],
            allow_abbrev=False,
        )
        for argument in command.arguments:
            _add(child, argument)
        subparsers[name] = child
    return parser, subparsers


def _add(target: Any, argument: Argument) -> None:
    settings: dict[str, Any] = {"help": argument.help}
    if argument.kind == "switch":
        settings["action"] = "store_true"
    else:
        settings["metavar"] = argument.metavar or argument.name.lstrip("-").upper()
        if argument.kind == "int":
            settings["type"] = _whole_number
        if argument.kind == "port":
            settings["type"] = _port
        if argument.kind == "many":
            settings["action"] = "append"
        if argument.choices:
            settings["choices"] = argument.choices
            settings["metavar"] = argument.metavar if "|" in argument.metavar else "|".join(argument.choices)
    if argument.is_option:
        settings |= {"dest": argument.dest, "default": argparse.SUPPRESS}
        if argument.required:
            settings["required"] = True
        target.add_argument(argument.name, **settings)
    else:
        if argument.count:
            settings["nargs"] = argument.count
        target.add_argument(argument.dest, **settings)


def _whole_number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def _port(text: str) -> int:
    number = _whole_number(text)
    if number > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: the highest is {HIGHEST_PORT}")
    return number


def _overview() -> str:
    lines: list[str] = []
    width = max(len(command.name) for command in COMMANDS)
    for heading in dict.fromkeys(command.group for command in COMMANDS if command.group):
        lines += ["", f"{heading}:"]
        lines += [f"  {item.name:<{width}}  {item.help}" for item in COMMANDS if item.group == heading]
    lines += [
        "",
        "predictive COMMAND --help says more. A CAMPAIGN is an id or an exact name.",
        "Exit: 0 done · 1 failed · 2 wrong usage · 3 changes or differences found · 4 partial · 5 refused ·",
        "      7 locked · 130 interrupted. Standard output is data, standard error is talk.",
    ]
    return "\n".join(lines).lstrip("\n")


_whole_number.__name__ = "whole number"
_port.__name__ = "port"
