"""The one command table: every command as data, read by the shell's parser, the colon prompt and the palette.

Standard library only and cheap to import: ``predictive --help`` needs nothing else. A handler is named as
``module:function`` and imported when its command runs; it takes a ``console.cli.invocation.Invocation`` and returns
the exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "int", "port", "switch", "many"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One positional argument or option.

    Attributes:
        name: ``CAMPAIGN`` for a positional, ``--simulate`` for an option.
        help: what it is, as a phrase.
        kind: ``text``, ``int``, ``switch`` (an option without a value) or ``many`` (an option that may be repeated).
        count: ``?`` at most one, ``*`` any number, ``+`` at least one, "" exactly one; positionals only.
        choices: the only values allowed, () for any.
        metavar: how the value of an option is called.
        required: an option that must be given.
    """

    name: str
    help: str
    kind: Kind = "text"
    count: str = ""
    choices: tuple[str, ...] = ()
    metavar: str = ""
    required: bool = False

    @property
    def is_option(self) -> bool:
        """True for ``--name``."""
        return self.name.startswith("-")

    @property
    def dest(self) -> str:
        """Name of the parsed value, e.g. ``from_date``."""
        plain = self.name.lstrip("-").replace("-", "_").lower()
        return {"from": "from_date", "to": "to_date"}.get(plain, plain)


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: one or two words, as typed; "" opens the console.
        help: one line for the list of commands.
        handler: ``module:function``.
        arguments: positionals first.
        group: heading under which help lists it.
        about: more, for the command's own help.
        prompt: True when the console's colon prompt and palette offer it.
        run: True when it is a run, whose ``--json`` ends with a run's summary.
    """

    name: str
    help: str
    handler: str
    arguments: tuple[Argument, ...] = ()
    group: str = ""
    about: str = ""
    prompt: bool = True
    run: bool = False


COMMON: tuple[Argument, ...] = (
    Argument("--config", "read this configuration file, and no other", metavar="FILE"),
    Argument("--org", "the org of the configuration to work with", metavar="NAME"),
    Argument("--json", "print one JSON object a line on standard output; never asks", kind="switch"),
    Argument("--yes", "answer confirmations with yes; passes no guard", kind="switch"),
    Argument("--read-only", "write nothing to either side, whatever the configuration says", kind="switch"),
    Argument("--no-mouse", "leave the mouse to the terminal while the console is open", kind="switch"),
)

_CAMPAIGN = Argument("CAMPAIGN", "id (15 or 18 characters) or exact name")
_CAMPAIGNS = Argument("CAMPAIGN", "ids (15 or 18 characters) or exact names", count="+")
_EDITION = Argument("EDITION", "slot number, id, role (such as initial) or name of the edition")

_RUN = Argument("RUN", "id of a run, as predictive runs lists it")
_PERSON = Argument("PERSON", "id of lead, contact or member row, or exact e-mail address or name")

_ALLOW = (
    Argument(
        "--allow", "let one guard pass up to LIMIT, for this run only; needs --reason", "many", metavar="RULE=LIMIT"
    ),
    Argument("--reason", "why, for the journal", metavar="TEXT"),
)
_GUARDS = (
    *_ALLOW,
    Argument("--confirm", "the campaign's name, typed out, where a guard on removals asks for it", metavar="NAME"),
)

_QUEUE = Argument("--queue", "leave the run to a worker; says under which id it waits", kind="switch")

_CHOICE = (
    Argument("--only", "only these rows (numbers, a kind, a side, text=…)", "many", metavar="ROWS"),
    Argument("--reject", "leave these rows out", "many", metavar="ROWS"),
    Argument("--accept", "take these rows in; what is only offered is taken by its number", "many", metavar="ROWS"),
)

_CHOOSING = (
    "ROWS are numbers (12, 20-25), a kind (email, remove, …), a side (salesforce), both (predictive:status) or "
    "text=…, joined by commas. First --only, then --reject, then --accept."
)

_ASKING = (
    "On a terminal the change is shown and asked for (default: no); --yes answers. Without a terminal, or with --json, "
    "it runs at once as far as the guards allow; a guard that refuses is passed by --allow or --confirm only."
)

_READS = "Look"
_RUNS = "Synchronize"
_MEND = "Stop, retry, take back"
_EMAIL = "Editions"
_CARE = "Set up and check"
_OFFLINE = "Try it offline"

COMMANDS: tuple[Command, ...] = (
    Command("", "open the console", "console.cli.interactive:console", prompt=False),
    Command("campaigns", "list the org's campaigns with their figures", "console.cli.reads:campaigns", group=_READS),
    Command(
        "members",
        "list a campaign's members",
        "console.cli.reads:members",
        (
            _CAMPAIGN,
            Argument("--text", "only members whose name or e-mail address contains this", metavar="TEXT"),
            Argument("--status", "only members with this status", metavar="LABEL"),
            Argument("--level", "only members on this level", metavar="LEVEL"),
        ),
        _READS,
    ),
    Command(
        "editions",
        "list a campaign's editions and what keeps them from sending",
        "console.cli.reads:editions",
        (_CAMPAIGN,),
        _READS,
    ),
    Command(
        "runs",
        "list the runs of the journal, or show one with its failed rows",
        "console.cli.reads:runs",
        (Argument("RUN", "id of a run", count="?"),),
        _READS,
    ),
    Command(
        "undo",
        "take a run back: members, names, addresses, statuses, levels",
        "console.cli.mend:undo",
        (_RUN, *_GUARDS),
        _MEND,
        f"What cannot be undone is said first. A value that moved since is left alone. {_ASKING} What is restored "
        "against Salesforce is held until Salesforce agrees, or predictive runs release gives it back.",
        run=True,
    ),
    Command(
        "runs errors",
        "list what failed and was not mended since, by type, with the remedy",
        "console.cli.mend:errors",
        (Argument("CAMPAIGN", "only this campaign", count="?"),),
        _MEND,
    ),
    Command(
        "runs retry",
        "try a run's failed rows again, planned from the values as they are now",
        "console.cli.mend:retry",
        (
            _RUN,
            Argument("--code", "only rows that failed with this code", metavar="CODE"),
            Argument("--row", "only the row of this number; may be repeated", "many", metavar="N"),
            *_GUARDS,
        ),
        _MEND,
        _ASKING,
        run=True,
    ),
    Command(
        "runs release",
        "let a member go whose values an undo holds; the next sync does what Salesforce says",
        "console.cli.mend:release",
        (
            _CAMPAIGN,
            Argument("PERSON", "id, e-mail address or name of the member", count="?"),
            Argument("--all", "everybody of the campaign of whom something is held", kind="switch"),
            Argument("--reason", "why, for the journal; needed", metavar="TEXT"),
        ),
        _MEND,
        run=True,
    ),
    Command(
        "runs cancel",
        "ask a live run, in any process, to stop after its batch; or withdraw one that waits for a worker",
        "console.cli.mend:cancel",
        (_RUN,),
        _MEND,
    ),
    Command(
        "runs pause",
        "ask a live run, in any process, to hold after its batch; it keeps what it has claimed",
        "console.cli.mend:pause",
        (_RUN,),
        _MEND,
    ),
    Command("runs resume", "let a held run go on", "console.cli.mend:resume", (_RUN,), _MEND),
    Command(
        "runs unlock",
        "lift a campaign's lock-out, with a reason that the journal keeps",
        "console.cli.member:unlock",
        (_CAMPAIGN, Argument("--reason", "why, for the journal", metavar="TEXT", required=True)),
        _MEND,
    ),
    Command(
        "why",
        "tell a member's whole story: what happened, and why it is mailed or not",
        "console.cli.member:why",
        (_CAMPAIGN, _PERSON),
        _READS,
        "Each condition of sending is listed with its value. The service is asked once, Salesforce is not: its part is "
        "as last read.",
    ),
    Command(
        "limits", "show the API meter: used, ours, everyone else's, forecast", "console.cli.reads:limits", group=_READS
    ),
    Command(
        "schedule",
        "show the timers, the workers that are there, and runs that wait for one",
        "console.cli.reads:schedule",
        group=_READS,
    ),
    Command(
        "plan",
        "show what a run would write, on either side, without writing",
        "console.cli.plans:plan",
        (
            _CAMPAIGNS,
            Argument("--kind", "the run to plan", choices=("manual", "hourly"), metavar="KIND"),
            Argument("--out", "save the plan, to be applied later", metavar="FILE"),
            Argument("--csv", "write its rows for a spreadsheet", metavar="FILE"),
            *_CHOICE,
            Argument("--detailed-exitcode", "exit 3 when there is something to write", kind="switch"),
        ),
        _RUNS,
        _CHOOSING,
        run=True,
    ),
    Command(
        "apply",
        "apply a saved plan",
        "console.cli.plans:apply",
        (
            Argument("FILE", "a plan saved by plan --out"),
            Argument("--without-deletes", "leave the removals out", kind="switch"),
            *_CHOICE,
            *_GUARDS,
        ),
        _RUNS,
        f"{_CHOOSING} On a terminal the plan is shown and asked for (default: no). Without a terminal, or with --json, "
        "a plan that writes anything needs --yes. A row whose value moved since the plan was made is skipped and "
        "reported.",
        run=True,
    ),
    Command(
        "new-edition",
        "start a campaign or continue its start: header, members, editions",
        "console.cli.runs:new_edition",
        (_CAMPAIGN, _QUEUE, *_GUARDS),
        _RUNS,
        _ASKING,
        run=True,
    ),
    Command(
        "sync",
        "bring members, names, e-mail addresses and statuses in step",
        "console.cli.runs:sync",
        (_CAMPAIGNS, _QUEUE, *_GUARDS),
        _RUNS,
        _ASKING,
        run=True,
    ),
    Command(
        "refresh",
        "pull levels and reasons of a campaign's members now",
        "console.cli.runs:refresh",
        (_CAMPAIGNS, _QUEUE, *_ALLOW),
        _RUNS,
        _ASKING,
        run=True,
    ),
    Command(
        "batch",
        "run the hourly or the nightly batch, or simulate it",
        "console.cli.runs:batch",
        (
            Argument("KIND", "which batch", choices=("hourly", "nightly")),
            Argument("--simulate", "show what it would send and write; writes and sends nothing", kind="switch"),
            Argument("--at", "simulate it at this instant, ISO 8601 UTC", metavar="INSTANT"),
            _QUEUE,
            *_GUARDS,
        ),
        _RUNS,
        _ASKING,
        run=True,
    ),
    Command(
        "verify",
        "read both sides afresh and compare them, sharing no code with the runs",
        "console.cli.runs:verify",
        (
            Argument("CAMPAIGN", "ids or exact names; all started campaigns when none is named", count="*"),
            _QUEUE,
            *_ALLOW,
        ),
        _RUNS,
        run=True,
    ),
    Command(
        "edition",
        "show one edition, or change its content, dates, delay or whether it is active",
        "console.cli.editions:edition",
        (
            _CAMPAIGN,
            _EDITION,
            Argument("--active", "switch it on or off", choices=("on", "off"), metavar="on|off"),
            Argument("--subject", "subject line", metavar="S"),
            Argument("--html", "take the body from this file", metavar="FILE"),
            Argument("--delay", "days to wait before it is due", "int", metavar="DAYS"),
            Argument("--from", "first day of its range (scheduled), YYYY-MM-DD", metavar="DATE"),
            Argument("--to", "last day of its range (scheduled), YYYY-MM-DD", metavar="DATE"),
        ),
        _EMAIL,
    ),
    Command(
        "test-send",
        "send an edition to the test members, which it needs before it may go out",
        "console.cli.editions:test_send",
        (_CAMPAIGN, _EDITION),
        _EMAIL,
    ),
    Command(
        "opt-in",
        "opt a member in again, from one edition on, so that missed ones are not sent",
        "console.cli.member:opt_in",
        (
            _CAMPAIGN,
            _PERSON,
            Argument(
                "--from-edition", "the first edition that may be sent to the member", metavar="EDITION", required=True
            ),
            Argument("--reason", "why, for the journal", metavar="TEXT", required=True),
        ),
        _EMAIL,
        "The opt-out box in Salesforce is left as it is, and what it says is told.",
    ),
    Command(
        "schedule pause",
        "pause the timers, of the org or of one campaign",
        "console.cli.care:pause",
        (
            Argument("--campaign", "only this campaign", metavar="CAMPAIGN"),
            Argument("--note", "why, for whoever looks next", metavar="TEXT"),
        ),
        _CARE,
    ),
    Command(
        "schedule resume",
        "let the timers run again",
        "console.cli.care:resume",
        (
            Argument("--campaign", "only this campaign", metavar="CAMPAIGN"),
            Argument("--note", "why, for whoever looks next", metavar="TEXT"),
        ),
        _CARE,
    ),
    Command(
        "doctor",
        "check configuration, both sides, secrets, permissions and this installation",
        "console.cli.doctor:doctor",
        group=_CARE,
    ),
    Command(
        "login",
        "log in to the org in a browser and keep the login, or take over one of Salesforce's command line",
        "console.cli.login:login",
        (Argument("--sf", "read the auth URL of an sf login from standard input", kind="switch"),),
        _CARE,
        'For an org with auth = "web". Over SSH, paste the address that the browser ends at. To take over a login: '
        "sf org auth show-sfdx-auth-url -o ALIAS --json | predictive login --sf",
        prompt=False,
    ),
    Command(
        "init",
        "write a configuration to start from, or what Salesforce needs as deployable source",
        "console.cli.care:init",
        (Argument("--metadata", "write fields and objects of the mapping into this new folder", metavar="DIR"),),
        _CARE,
        "With --metadata the folder is a project of the Salesforce CLI, for an org without the package: sf project "
        "deploy start in it makes the fields, and its mapping.toml says what to copy into the configuration.",
        prompt=False,
    ),
    Command(
        "worker",
        "run the timers and what waits in the queue, without a screen, until stopped",
        "console.cli.worker:worker",
        group=_CARE,
        about="Any number of workers and consoles share one state: a tick fires once, a campaign has one run, all have "
        "one API budget; what a dead process left is taken over. A line on standard output for each run. The first "
        "SIGTERM or Ctrl-C ends it after the batch in flight (0 when idle, 130 when a run was cut short), the second "
        "at once.",
        prompt=False,
    ),
    Command(
        "migrate",
        "bring the state's database to the newest revision, and say from which",
        "console.cli.care:migrate",
        group=_CARE,
        prompt=False,
    ),
    Command(
        "bundle",
        "pack a support bundle: set-up, checks, last runs and log, without secrets and without people",
        "console.cli.bundle:bundle",
        (Argument("--out", "write it to this file, which must not exist yet", metavar="FILE"),),
        _CARE,
        "Names and e-mail addresses of people are masked, secrets are left out. The checks cost a few calls.",
    ),
    Command(
        "demo",
        "open the console on an embedded org and service; a scripted tour without a terminal",
        "console.cli.demo:demo",
        (Argument("--headless", "the scripted tour, also on a terminal", kind="switch"),),
        _OFFLINE,
        prompt=False,
    ),
    Command(
        "sandbox",
        "run an embedded org and service until stopped, with a configuration for them",
        "console.cli.sandbox:sandbox",
        (
            Argument("--port", "port of the org (0, the default: a free one)", "port", metavar="N"),
            Argument("--service-port", "port of the service (0, the default: a free one)", "port", metavar="N"),
            Argument("--campaigns", "number of campaigns", "int", metavar="N"),
            Argument("--members", "members of each campaign", "int", metavar="N"),
            Argument("--seed", "another number, other people", "int", metavar="N"),
            Argument("--quota", "the org's daily limit of API requests", "int", metavar="N"),
            Argument("--synced", "start with both sides in step", kind="switch"),
            Argument(
                "--package",
                "with or without the package's fields and objects",
                choices=("pam", "none"),
                metavar="pam|none",
            ),
            Argument("--load", "load a folder written by sf data export tree", metavar="DIR"),
            Argument("--faults", "inject the faults described in this JSON file from the start", metavar="FILE"),
        ),
        _OFFLINE,
        prompt=False,
    ),
    Command(
        "service",
        "run the embedded Predictive service alone until stopped, on a state that is kept",
        "console.cli.service:service",
        (
            Argument("--port", "its port on this machine (0: a free one)", "port", metavar="N"),
            Argument("--state", "the folder of its state, or a database's URL", metavar="DIR|URL"),
            Argument("--outbox", "put mails into this folder as .eml files, whatever is configured", metavar="DIR"),
        ),
        _OFFLINE,
        "The table [service] of the configuration holds the rest, [service.smtp] the mail server. The token that its "
        "clients must show is a secret: PREDICTIVE_SERVICE_API_TOKEN, or [service.api] token in the owner-only file. "
        "Prints one JSON line when it answers. It listens on loopback only; a proxy gives it TLS and an address.",
        prompt=False,
    ),
)

BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS}


def usage(command: Command) -> str:
    """One line as typed, e.g. ``sync CAMPAIGN… [--allow RULE=LIMIT]``."""
    words = [command.name]
    for argument in command.arguments:
        if not argument.is_option:
            shown = "|".join(argument.choices) or argument.name
            words.append({"?": f"[{shown}]", "*": f"[{shown}…]", "+": f"{shown}…"}.get(argument.count, shown))
        else:
            value = "" if argument.kind == "switch" else f" {argument.metavar or argument.dest.upper()}"
            words.append(f"{argument.name}{value}" if argument.required else f"[{argument.name}{value}]")
    return " ".join(words)
