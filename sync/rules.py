"""The rules of a sync by name: what the truth table, the rule of deletes, the reading and the guards each insist on.

Pure data. A run holds all of them. No setting, option or environment leaves one out: that is done by composition only,
so that each case of ``tests/golden`` can be shown to fail when the rule it names is not held.
"""

from __future__ import annotations

from sync.cheap import Word


class Rule(Word):
    """One rule; the value is the name that a golden case gives."""

    # Membership is Salesforce's.
    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    MEMBER_ID = "member-id"
    ORPHAN_HELD = "orphan-held"
    CONVERSION = "conversion"
    PEOPLE_MERGED = "people-merged"
    MIRRORS = "mirrors"
    # Names, address and test flag are Salesforce's.
    PERSON_FIELDS = "person-fields"
    # The status is both sides'.
    STATUS = "status"
    SAME_CHANGE = "same-change"
    SALESFORCE_WINS = "salesforce-wins"
    NEVER_AGREED = "never-agreed"
    KNOWN_STATUS = "known-status"
    DRIFT = "drift"
    WRITTEN_IS_AGREED = "written-is-agreed"
    # Opt-outs go one way each.
    BOX_OPTS_OUT = "box-opts-out"
    OPT_OUT_TICKS = "opt-out-ticks"
    NO_OPT_IN = "no-opt-in"
    OPT_OUT_ARRIVES = "opt-out-arrives"
    # What happened to the mails is Predictive's.
    ACTIVITY = "activity"
    NEVER_BACK = "never-back"
    ADOPTION = "adoption"
    MARKER = "marker"
    # The header and the list of global test members are Salesforce's.
    HEADER = "header"
    FIXED_TYPE = "fixed-type"
    TEST_LIST = "test-list"
    # Nothing is concluded from what is merely not seen.
    UNSEEN_IS_NOT_GONE = "unseen-is-not-gone"
    SEEN_AGAIN = "seen-again"
    COUNT_IS_WITNESS = "count-is-witness"
    OVERLAP = "overlap"
    ACCOUNTS_LISTED = "accounts-listed"
    # What an undo restored against the other side waits for that side or for a person.
    UNDO_HELD = "undo-held"
    # Guards: each by its own name.
    GUARD_DELETES = "guard-deletes"
    GUARD_DELETES_RUN = "guard-deletes-run"
    GUARD_SIDE_EMPTY = "guard-side-empty"
    GUARD_CHANGED = "guard-changed"
    GUARD_BLANKED = "guard-blanked"
    GUARD_FLOOD_FIRST = "guard-flood-first"
    GUARD_FLOOD = "guard-flood"
    GUARD_CANARY = "guard-canary"
    GUARD_INCOMPLETE = "guard-incomplete"


Rules = frozenset[Rule]

EVERY_RULE: Rules = frozenset(Rule)
"""What every run holds."""


def guard_held(rules: Rules, guard: str) -> bool:
    """True unless the guard of this name is left out. Guards that are no rule of a sync (the budget) always hold."""
    named = next((rule for rule in Rule if rule.value == f"guard-{guard}"), None)
    return named is None or named in rules
