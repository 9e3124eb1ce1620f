"""Reading many rows: pages of 2,000 in id order, five chained pages to a call.

Query n+1 of a Composite starts after the last id of query n by reference. When a page is not full the reference has no
value and the rest is answered with PROCESSING_HALTED: the normal end of the data, unless the page says ``done: false``
(the org gives shorter pages for wide rows), in which case reading goes on from the last id with that page size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.errors import RemoteRejected
from sync.salesforce.composite import Answers, Composite, Part, SubReply
from sync.salesforce.decode import Page
from sync.salesforce.errors import HALTED, refusal
from sync.salesforce.soql import PAGE, Select

SLOTS = 5
LEAST_PAGE = 200
"""The platform's smallest page; a shorter one is an accident that says nothing about the next."""


@dataclass(slots=True)
class Chain:
    """Where reading a chain of pages stands."""

    after: str = ""
    done: bool = False


class Reader:
    """Reads queries page by page. Remembers how long the org's pages are."""

    def __init__(self, composite: Composite) -> None:
        self.composite = composite
        self._sizes: dict[str, int] = {}

    def page_size(self, source: str) -> int:
        """Rows that a page of *source* holds, as far as is known."""
        return self._sizes.get(source, PAGE)

    def calls_for(self, rows: int, source: str) -> int:
        """Calls that reading *rows* further rows takes."""
        return -(-rows // (SLOTS * self.page_size(source)))

    def parts(self, select: Select, after: str, *, slots: int = SLOTS, prefix: str = "p") -> list[Part]:
        """Up to five chained pages after the id *after*.

        The last one has no LIMIT, so that its ``done`` tells whether anything follows: rows that fill the pages
        exactly need no further call to see the end.
        """
        size = self.page_size(select.source)
        out = []
        start = after
        for index in range(slots):
            limit = size if index < slots - 1 else None
            out.append(self.composite.query(f"{prefix}{index}", select.page(start, limit)))
            start = f"@{{{prefix}{index}.records[{size - 1}].Id}}"
        return out

    def take(
        self,
        answers: Answers,
        select: Select,
        decoder: msgspec.json.Decoder[Page[Any]],
        chain: Chain,
        *,
        slots: int = SLOTS,
        prefix: str = "p",
    ) -> Iterator[list[Any]]:
        """The pages of a Composite made by ``parts``; moves *chain* on."""
        size = self.page_size(select.source)
        for index in range(slots):
            reply = answers[f"{prefix}{index}"]
            if index > 0 and _halted(reply):
                # Cannot happen after a full page; then the page before was short or ended the data.
                return
            page = reply.read(decoder)
            if page.records:
                chain.after = page.records[-1].Id
                yield page.records
            last = index == slots - 1
            if page.done and (last or len(page.records) < size):
                chain.done = True
                return
            if len(page.records) < size:
                self.learn(select.source, len(page.records))
                return

    def learn(self, source: str, rows: int) -> None:
        """Remember that a page of *source* ended early at *rows* rows.

        Raises:
            RemoteRejected: the org gives empty pages without end.
        """
        if rows == 0:
            raise RemoteRejected(
                "the org gave an empty page and says that there is more",
                where=self.composite.channel.base_url,
                left_undone="the read is not complete",
                remedy="try again later",
            )
        if rows >= LEAST_PAGE:
            self._sizes[source] = min(rows, PAGE)

    def pages(
        self, select: Select, decoder: msgspec.json.Decoder[Page[Any]], *, after: str = "", resource: str = ""
    ) -> Iterator[list[Any]]:
        """Every row of *select* in id order. The rows must have ``Id``.

        Raises:
            whatever ``Composite.send`` and ``SubReply.read`` raise.
        """
        chain = Chain(after)
        while not chain.done:
            answers = self.composite.send(self.parts(select, chain.after), resource=resource or select.source)
            yield from self.take(answers, select, decoder, chain)

    def grouped(
        self,
        first: Page[Any],
        select: Select,
        decoder: msgspec.json.Decoder[Page[Any]],
        *,
        one_each: bool,
    ) -> Iterator[Any]:
        """Rows of a query grouped and ordered by CampaignId with LIMIT 2000, read on beyond its first page.

        Args:
            one_each: one row a campaign; otherwise a campaign cut by the limit is read again from its first row.
        """
        page = first
        while True:
            rows = page.records
            if len(rows) < PAGE:
                yield from rows
                return
            last = rows[-1].CampaignId
            if not one_each:
                whole = [row for row in rows if row.CampaignId != last]
                rows = whole or rows
            yield from rows
            more = select.having(f"CampaignId {'>' if one_each or rows[-1].CampaignId == last else '>='} '{last}'")
            page = self.composite.send([self.composite.query("g", more)], resource=select.source)["g"].read(decoder)


def _halted(reply: SubReply) -> bool:
    error = reply.error
    if error is None:
        return False
    if error.errorCode != HALTED:
        raise refusal(error, reply.where, left_undone="the read is not complete")
    return True
