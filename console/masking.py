"""Text without secrets and, where it leaves this machine, without people: for crash reports, the log, the bundle.

Masking is by form (session ids, bearer tokens, JSON web tokens, private keys, ``password=``) and by value: whatever the
environment holds under a name that speaks of a secret, and every secret that this process ever sent. Standard library
and ``sync.secrets`` only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from sync.secrets import revealed

MASK = "********"
PERSON = "[person]"
ADDRESS = "[e-mail]"

_FORMS = (
    re.compile(r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._\-]+"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._\-!~+/=]+"),
    re.compile(r"eyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?i)(?<=:)[^/@\s:]+(?=@[\w.\-]+[:/])"),
    re.compile(
        r"""(?i)(?<=secret=)[^\s&'",]+|(?<=token=)[^\s&'",]+|(?<=password=)[^\s&'",]+|(?<=assertion=)[^\s&'",]+"""
    ),
)
_SECRET_NAME = re.compile(r"(?i)secret|token|passw|private|credential|_key$")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:@=\[\]{}]+@[^\s<>\"'(),;:@=\[\]{}]+")
_WORD = re.compile(r"[^\W_]+")
SHORTEST = 6
"""Shorter values are words that a text may hold for other reasons."""


def mask(text: str, env: Mapping[str, str]) -> str:
    """*text* without secrets."""
    values = {value for name, value in env.items() if _SECRET_NAME.search(name)} | revealed()
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST:
            text = text.replace(value, MASK)
    for form in _FORMS:
        text = form.sub(MASK, text)
    return text


def without_addresses(text: str) -> str:
    """*text* without e-mail addresses."""
    return _ADDRESS.sub(ADDRESS, text)


def words_of(texts: Iterable[str]) -> set[str]:
    """Words of *texts* that could be a person's name, in lower case."""
    return {word.casefold() for text in texts for word in _WORD.findall(text)}


def without_people(text: str, names: Callable[[str], bool]) -> str:
    """*text* without e-mail addresses and without the words that *names* knows (given in lower case)."""

    def shown(found: re.Match[str]) -> str:
        return PERSON if names(found[0].casefold()) else found[0]

    # The mask itself is no name, whatever people are called.
    parts = _ADDRESS.split(text)
    return ADDRESS.join(_WORD.sub(shown, part) for part in parts)
