"""The key table: every binding as data. Key bar, help, palette and the README's table are printed from it.

Pure. A key has an id (what it does), the keys that do it, where it works, a label for the key bar, a sentence for the
help, its place in the key bar, and a function that says why it cannot be used now ("" when it can).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sync.words import plural

EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether a key can be used now.

    Attributes:
        read_only: the console may not write.
        running: title of a live job that writes, "" when there is none.
        campaign: a campaign is chosen; name, state, started, auto_sync, type_known, locked are its own.
        rows: the list has rows.
        edition: an edition is chosen.
        plan: the plan stands; rows_in_plan, removals: how much of it is left in.
        live: the run on screen is live.
        failed: the run on screen has rows that failed.
        paused: timers are held back.
        held: the run on screen holds, or was asked to.
        no_undo: why the run on screen cannot be undone, "" when it can.
        journal: the run on screen is known to the journal.
        suppressed, holding: the member on screen is opted out; has values that an undo holds.
        paused_here: timers leave the chosen campaign out.
        marked: how many campaigns are marked.
    """

    read_only: bool = False
    running: str = ""
    campaign: bool = False
    started: bool = False
    closed: bool = False
    auto_sync: bool = False
    type_known: bool = True
    locked: str = ""
    rows: bool = False
    edition: bool = False
    plan: bool = False
    rows_in_plan: int = 0
    removals: int = 0
    live: bool = False
    failed: bool = False
    paused: bool = False
    held: bool = False
    no_undo: str = "No run is chosen."
    journal: bool = False
    suppressed: bool = False
    holding: bool = False
    paused_here: bool = False
    marked: int = 0


Why = Callable[[Situation], str]


def _always(now: Situation) -> str:
    return ""


def first_of(*rules: Why) -> Why:
    """The first reason that any of *rules* gives."""

    def why(now: Situation) -> str:
        return next((reason for rule in rules if (reason := rule(now))), "")

    return why


def _campaign(now: Situation) -> str:
    return "" if now.campaign else "No campaign is chosen; g reads the org's list."


def _wasteful(now: Situation) -> str:
    return "" if now.campaign else "No campaign is under the cursor."


def _started(now: Situation) -> str:
    return "" if now.started else "This campaign has no editions yet; n New Edition starts it."


def _open(now: Situation) -> str:
    return "This campaign is closed; it is neither synchronized nor mailed." if now.closed else ""


def _typed(now: Situation) -> str:
    return "" if now.type_known else "Its type is none of Adaptive, Scheduled and Drip; set the type in Salesforce."


def _unlocked(now: Situation) -> str:
    return f"Locked: {now.locked}. U lifts it, with a reason." if now.locked else ""


def _idle(now: Situation) -> str:
    return f"{now.running} is running; 0 shows it." if now.running else ""


def _writes(now: Situation) -> str:
    return "The console is read-only; read_only = false in the configuration lets it write." if now.read_only else ""


def _rows(now: Situation) -> str:
    return "" if now.rows else "There is nothing in the list."


def _single(now: Situation) -> str:
    return (
        f"{plural(now.marked, 'campaign is', 'campaigns are')} marked; this takes one. esc unmarks."
        if now.marked
        else ""
    )


def _edition(now: Situation) -> str:
    return "" if now.edition else "No edition is chosen; tab goes to the Editions."


def _planned(now: Situation) -> str:
    return "" if now.plan else "The plan is still being made."


def _kept(now: Situation) -> str:
    return "" if now.rows_in_plan else "Nothing is left to apply."


def _removals(now: Situation) -> str:
    return "" if now.removals else "The plan has no removals."


def _closed_auto(now: Situation) -> str:
    return "" if now.closed and now.auto_sync else "Only for a closed campaign whose auto-sync is still on."


def _live(now: Situation) -> str:
    return "" if now.live else "This run has ended."


def _failed(now: Situation) -> str:
    return "" if now.failed else "No row failed."


def _suppressed(now: Situation) -> str:
    return "" if now.suppressed else "Nothing holds this member back in Predictive."


def _holding(now: Situation) -> str:
    return "" if now.holding else "No undo holds values of this member."


def _locked(now: Situation) -> str:
    return "" if now.locked else "This campaign is not locked."


def _undoable(now: Situation) -> str:
    return now.no_undo


def _journal(now: Situation) -> str:
    return "" if now.journal else "The run has not begun yet."


def _run(now: Situation) -> str:
    return "" if now.running else "Nothing is running."


@dataclass(frozen=True, slots=True)
class Key:
    """One binding.

    Attributes:
        id: what it does; the method ``do_ID`` of the screen, or of the app for what works everywhere.
        keys: Textual's names of the keys; the first is shown.
        label: in the key bar; "" is help only.
        text: one sentence for the help.
        where: names of screens, or ``EVERYWHERE``.
        rank: place in the key bar, lower is further left and stays longer.
        why: reason why it cannot be used now, "" when it can.
        shown: how the key is written, when not as in *keys*.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    text: str
    where: tuple[str, ...]
    rank: int = 50
    why: Why = _always
    shown: str = ""

    @property
    def face(self) -> str:
        """The key as people write it."""
        return self.shown or self.keys[0]


_EDIT = first_of(_edition, _writes, _idle)
_LISTS = ("overview", "members", "plan", "runs", "clicks", "journal", "log", "settings")

KEYS: tuple[Key, ...] = (
    Key("sync", ("s",), "Synchronize", "Reads both sides and shows every write before it is made.",
        ("overview", "campaign"), 10, first_of(_campaign, _open, _started, _unlocked, _idle)),
    Key("new_edition", ("n",), "New Edition", "Initial sync: pushes the members and makes the edition(s).",
        ("overview", "campaign"), 11, first_of(_single, _campaign, _open, _typed, _writes, _unlocked, _idle)),
    Key("refresh", ("r",), "Refresh", "Brings level and reason of this campaign's members up to date, now.",
        ("overview", "campaign"), 12, first_of(_campaign, _started, _writes, _unlocked, _idle)),
    Key("open", ("enter",), "open", "Goes into the row under the cursor.", ("overview",), 13, _rows),
    Key("filter", ("slash",), "filter", "Filters the list by words or field:value, e.g. state:closed type:drip.",
        _LISTS, 14, shown="/"),
    Key("batch", ("b",), "batch", "Runs or simulates the hourly or nightly batch.",
        ("overview", "schedule"), 15, _idle),
    Key("verify", ("v",), "verify", "Compares both sides afresh by independent code; writes nothing.",
        ("overview", "campaign"), 20, first_of(_campaign, _started, _idle)),
    Key("load", ("g",), "get list", "Reads the org's campaigns and their figures anew: 1 Salesforce call.",
        ("overview", "metrics"), 17, _idle),
    Key("mark", ("space",), "mark", "Marks the campaign; s, r and v then act on all that are marked.",
        ("overview",), 16, _rows),
    Key("mark_all", ("A",), "", "Marks every campaign in the list, or none.", ("overview",), 60, _rows),
    Key("sort", ("o",), "order", "Orders the list by any column; the same column again turns it round.",
        ("overview",), 18),
    Key("reverse", ("O",), "", "Turns the order round.", ("overview",), 60),
    Key("views", ("V",), "views", "Saved views: a filter with an order, under a name; saved and deleted there.",
        ("overview",), 19),
    Key("unfilter", ("escape",), "", "Takes the marks away, then the filter.", ("overview",), 60, shown="esc"),
    Key("clear_auto", ("w",), "clear auto-sync", "Takes auto-sync off a closed campaign: no night spends on it.",
        ("overview", "campaign", "api"), 30, first_of(_single, _wasteful, _closed_auto, _writes, _idle)),
    Key("pause_one", ("P",), "pause timers here", "Timers leave this campaign out, with a note; or take it again.",
        ("overview", "campaign"), 31, first_of(_single, _campaign)),
    Key("unlock", ("U",), "unlock", "Lifts the lock-out of this campaign, with a reason for the journal.",
        ("overview", "campaign"), 32, first_of(_single, _campaign, _locked)),
    # ------------------------------------------------------------ campaign
    Key("tab", ("tab",), "next tab", "Next tab; shift+tab the one before.", ("campaign", "member", "api"), 15),
    Key("tab_back", ("shift+tab",), "", "The tab before.", ("campaign", "member", "api"), 60),
    Key("why", ("y",), "why", "Tells the member's whole story: mailed or not and why, both sides, what happened.",
        ("members",), 13, _rows),
    Key("opt_in", ("i",), "opt in", "Opts the member in again, from an edition on; none before it is mailed.",
        ("member",), 16, first_of(_suppressed, _writes, _idle)),
    Key("release", ("h",), "release", "Gives values that an undo holds back to the rules of ownership.",
        ("member",), 17, first_of(_holding, _writes, _idle)),
    Key("ask_again", ("g",), "ask again", "Asks Predictive anew; Salesforce is not asked.", ("member",), 18),
    Key("test_send", ("t",), "test-send", "Sends the edition to the test members.", ("campaign",), 13, _EDIT),
    Key("activate", ("a",), "(de)activate", "Lets the edition send, or holds it.", ("campaign",), 14, _EDIT),
    Key("edit", ("e",), "subject", "Changes the edition's subject; content comes by file: predictive edition --html.",
        ("campaign",), 16, _EDIT),
    Key("load_members", ("g",), "read anew", "Reads the members of both sides for display: about 2 calls.",
        ("members",), 17, first_of(_idle)),
    Key("status", ("f",), "by status", "Shows members of one status after the other.", ("members",), 18),
    Key("only", ("i",), "only", "Shows only members not mailed, then waiting, testing, hidden; then all.",
        ("members",), 20),
    Key("level", ("l",), "by level", "Shows members of one level after the other.", ("members",), 19),
    # ------------------------------------------------------------ plan
    Key("apply", ("a",), "Apply", "Writes what the plan says, after a last question.",
        ("plan",), 10, first_of(_planned, _writes, _kept, _idle)),
    Key("apply_kept", ("x",), "Apply without removals", "The same without a single removal.",
        ("plan",), 11, first_of(_planned, _writes, _removals, _idle)),
    Key("toggle", ("space",), "leave out", "Takes the row or group out of the plan, or puts it back.",
        ("plan",), 12, first_of(_planned, _rows)),
    Key("show", ("enter",), "show", "Opens or closes the group.", ("plan",), 13, first_of(_planned, _rows)),
    Key("save", ("o",), "save", "Saves the plan to a file; predictive apply FILE writes it later.",
        ("plan",), 15, _planned),
    # ------------------------------------------------------------ run
    Key("cancel", ("c",), "cancel after this batch", "Stops after the present batch; nothing is lost.",
        ("run",), 10, _live),
    Key("hold", ("p",), "pause or go on", "Holds the run after the present batch, or lets it go on; nothing is lost.",
        ("run",), 11, _live),
    Key("details", ("e",), "details", "Lists the rows that failed by type, with the remedy.", ("run",), 12, _failed),
    Key("retry", ("t",), "try again", "Plans the marked rows anew, or those of the line; nothing is written yet.",
        ("run", "errors"), 13, first_of(_failed, _idle)),
    Key("mark_row", ("space",), "mark", "Marks the row or the whole type for another try.",
        ("run", "errors"), 14, _failed),
    Key("undo", ("u",), "undo", "Plans the inverse of this run and shows it; nothing is written yet.",
        ("run", "runs", "campaign_runs"), 15, first_of(_undoable, _idle)),
    Key("rows", ("l",), "journal", "Lists every row of the run as its journal has it.",
        ("run", "runs", "campaign_runs"), 16, _journal),
    Key("turn", ("enter",), "show", "Opens or closes a type of failure.", ("errors",), 12, _rows),
    Key("row_state", ("f",), "by state", "Shows rows that were written, rejected, drifted, of unknown fate, then all.",
        ("journal",), 18),
    # ------------------------------------------------------------ other views
    Key("open_run", ("enter",), "open", "Replays the run from its journal.", ("runs", "campaign_runs"), 10, _rows),
    Key("simulate", ("m",), "simulate", "Shows what the chosen batch would send and write; does neither.",
        ("schedule",), 10, _idle),
    Key("simulate_at", ("t",), "simulate at", "The same at an instant that you type, e.g. tomorrow 01:00.",
        ("schedule",), 12, _idle),
    Key("pause", ("p",), "pause or resume", "Holds the timers back, with a note; or lets them run again.",
        ("schedule",), 11),
    Key("ask_meter", ("g",), "ask the org", "Reads the org's meter: 1 Salesforce call.", ("api",), 10),
    Key("check", ("g",), "check now", "Checks login, fields, rights, clocks and state: a few calls.", ("doctor",), 10),
    Key("follow", ("f",), "follow", "Follows the log as it grows, or stands still.", ("log",), 10),
    Key("log_level", ("l",), "level", "All lines, warnings and errors, errors only.", ("log",), 11),
    Key("change", ("enter",), "change", "Changes the value, after checking it; a backup is kept.", ("settings",), 10,
        first_of(_rows, _idle)),
    Key("unset", ("x",), "default", "Takes the key out of the file, so that its default holds.", ("settings",), 11,
        first_of(_rows, _idle)),
    # ------------------------------------------------------------ everywhere
    Key("back", ("escape",), "back", "Comes back to where one was; a run goes on.",
        ("campaign", "plan", "run", "runs", "member", "errors", "journal", "schedule", "api", "doctor", "log",
         "settings", "help"), 25, shown="esc"),
    Key("view_run", ("0",), "", "The run under way.", (EVERYWHERE,), 70, _run),
    Key("view_overview", ("1",), "", "Campaigns.", (EVERYWHERE,), 71),
    Key("view_runs", ("2",), "runs", "Runs of the past.", (EVERYWHERE,), 72),
    Key("view_schedule", ("3",), "schedule", "Next hourly and nightly batch.", (EVERYWHERE,), 73),
    Key("view_api", ("4",), "API", "The API meter and its forecast.", (EVERYWHERE,), 74),
    Key("view_doctor", ("5",), "doctor", "What is wrong with the set-up, and the remedy.", (EVERYWHERE,), 75),
    Key("view_errors", ("6",), "errors", "What failed and was not mended since, by type.", (EVERYWHERE,), 76),
    Key("view_log", ("7",), "log", "What the program did; / filters it, f follows it.", (EVERYWHERE,), 77),
    Key("view_settings", ("8",), "settings", "The configuration, key by key.", (EVERYWHERE,), 77),
    Key("before", ("left_square_bracket",), "", "The screen visited before this one.", (EVERYWHERE,), 78, shown="["),
    Key("after", ("right_square_bracket",), "", "The screen that was left by going back.", (EVERYWHERE,), 78,
        shown="]"),
    Key("jump", ("semicolon",), "", "A letter over each region and row; the letter goes there.", (EVERYWHERE,), 79,
        shown=";"),
    Key("copy", ("Y",), "", "Copies the row, or the text, to the terminal's clipboard; twice: into a file.",
        (EVERYWHERE,), 79),
    Key("orgs", ("at",), "", "Another org of the configuration.", (EVERYWHERE,), 80, shown="@"),
    Key("prompt", ("colon",), "command", "The same commands as on the command line.", (EVERYWHERE,), 80, shown=":"),
    Key("palette", ("ctrl+p",), "", "Finds a command or campaign by a few letters.", (EVERYWHERE,), 81),
    Key("dress", ("D",), "", "Dark or light.", (EVERYWHERE,), 82),
    Key("quit", ("q",), "quit", "Leaves; asks first when a run is writing.", (EVERYWHERE,), 95),
    Key("help", ("question_mark", "f1"), "all keys", "This list.", (EVERYWHERE,), 99, shown="?"),
)  # fmt: skip


@cache
def keys_for(*where: str) -> tuple[Key, ...]:
    """Keys of the places in *where* and those that work everywhere, in the order of the key bar."""
    found = [key for key in KEYS if EVERYWHERE in key.where or set(key.where) & set(where)]
    return tuple(sorted(found, key=lambda key: key.rank))


def hints(keys: tuple[Key, ...], now: Situation) -> tuple[tuple[str, str, bool], ...]:
    """Face, label and usability for the key bar; "all keys" last, because it always stays."""
    shown = [(key.face, key.label, not key.why(now)) for key in keys if key.label]
    usable = [hint for hint in shown if hint[2]]
    return (*usable[:-1], *[hint for hint in shown if not hint[2]], usable[-1])


def table() -> tuple[tuple[str, str, str], ...]:
    """Screens, key and sentence of every binding, for the README."""
    return tuple((", ".join(key.where), key.face, key.text) for key in KEYS)
