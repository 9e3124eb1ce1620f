"""Record ids: 15 characters that tell case apart, 18 that carry the case in three check characters.

Rows are keyed by plain integers inside the store. An id is prefix + instance + the integer in base 62, and because
the digits are in ASCII order, comparing the integers is comparing the ids. Pure; standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
INSTANCE = "gL"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_VALUE = {digit: value for value, digit in enumerate(DIGITS)}
_PAIRS = [a + b for a in DIGITS for b in DIGITS]
_PAIR_BITS = [int(p[0].isupper()) | int(p[1].isupper()) << 1 for p in _PAIRS]
_ONE_BITS = [int(d.isupper()) << 4 for d in DIGITS]
_FIVE = 62**5
_CUBE = 62**3
ABOVE = 1 << 62
"""Greater than the key of any record: where an id of a later prefix stands in a comparison."""


def check_character(five: str) -> str:
    """The check character of five characters: bit i is set when character i is an upper-case letter."""
    return _CHECK[sum(1 << i for i, c in enumerate(five) if "A" <= c <= "Z")]


def to_18(text: str) -> str:
    """The 18-character form of a 15-character id."""
    return text + check_character(text[0:5]) + check_character(text[5:10]) + check_character(text[10:15])


def _five(value: int) -> str:
    high, rest = divmod(value, _CUBE)
    middle, low = divmod(rest, 62)
    return _PAIRS[high] + _PAIRS[middle] + DIGITS[low]


@lru_cache(maxsize=256)
def encoder(prefix: str) -> Callable[[int], str]:
    """A function from row key to 18-character id for one prefix (three characters)."""
    head = prefix + INSTANCE
    tail = check_character(head)
    pairs, bits, ones, digits, check = _PAIRS, _PAIR_BITS, _ONE_BITS, DIGITS, _CHECK
    plain_head, plain_tail = head + "00000", tail + "A"

    def encode(number: int) -> str:
        if number >= _FIVE:
            over, number = divmod(number, _FIVE)
            upper = _five(over)
            start, end = head + upper, tail + check_character(upper)
        else:
            start, end = plain_head, plain_tail
        high, rest = divmod(number, _CUBE)
        middle, low = divmod(rest, 62)
        last = check[bits[high] | bits[middle] << 2 | ones[low]]
        return start + pairs[high] + pairs[middle] + digits[low] + end + last

    return encode


def normalise(text: str) -> str | None:
    """The 15-character form of a 15- or 18-character id, its case restored from the check characters.

    None when the text cannot be an id.
    """
    if len(text) not in (15, 18) or not text.isalnum() or not text.isascii():
        return None
    if len(text) == 15 or to_18(text[:15]) == text:
        return text[:15]
    restored = []
    for index, character in enumerate(text[:15]):
        bits = _CHECK.find(text[15 + index // 5].upper())
        if bits < 0:
            return None
        restored.append(character.upper() if bits >> (index % 5) & 1 else character.lower())
    return "".join(restored)


def decode(text: str) -> tuple[str, int] | None:
    """(prefix, row key) of an id of this org in either form; key -1 when it is the id of another org; else None."""
    short = normalise(text)
    if short is None:
        return None
    if short[3:5] != INSTANCE:
        return short[:3], -1
    number = 0
    for digit in short[5:]:
        number = number * 62 + _VALUE[digit]
    return short[:3], number


def position(prefix: str, text: str) -> int:
    """Where an id stands among the row keys of one prefix, so that ``Id > '…'`` can compare integers."""
    found = decode(text)
    if found is not None and found[0] == prefix and found[1] >= 0:
        return found[1]
    head = prefix + INSTANCE
    return -1 if text[:5] < head else ABOVE


def key_for(prefix: str, text: str) -> int:
    """The row key an id of one prefix stands for; -1 (no row) when it belongs to something else."""
    found = decode(text)
    return found[1] if found is not None and found[0] == prefix else -1
