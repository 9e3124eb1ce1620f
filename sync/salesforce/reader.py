"""Reading many rows: pages of 2,000 in id order, five chained pages to a call.

Query n+1 of a Composite starts after the last id of query n by reference. When a page is not full the reference has no
value and the rest is answered with PROCESSING_HALTED: the normal end of the data, unless the page says ``done: false``
(the org gives shorter pages for wide rows), in which case reading goes on from the last id with that page size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from sync.errors import RemoteRejected
from sync.packing import BULK_READ_FROM, bulk_read_calls
from sync.salesforce.bulk_query import BulkQuery
from sync.salesforce.composite import Answers, Composite, Part, SubReply
from sync.salesforce.decode import Page
from sync.salesforce.errors import HALTED, refusal
from sync.salesforce.soql import PAGE, Select

SLOTS = 5
LEAST_PAGE = 200
"""The platform's smallest page; a shorter one is an accident that says nothing about the next."""


Value = TypeVar("Value")


@dataclass(slots=True)
class Chain:
    """Where reading a chain of pages stands; ``left`` is how many rows follow, 0 when that is not known."""

    after: str = ""
    done: bool = False
    left: int = 0


@dataclass(frozen=True, slots=True)
class Form(Generic[Value]):
    """How rows of one kind become values: those of a JSON page, and one of a Bulk query (None: left out)."""

    decoder: msgspec.json.Decoder[Page[Any]]
    of_page: Callable[[list[Any]], Sequence[Value]]
    of_csv: Callable[[dict[str, str]], Value | None]


class Reader:
    """Reads queries page by page. Remembers how long the org's pages are.

    Args:
        composite: for calls.
        jobs: for Bulk queries; None keeps all reads in Composites.
        bulk_from: rows still to be read from which they are.
    """

    def __init__(self, composite: Composite, jobs: BulkQuery | None = None, *, bulk_from: int = BULK_READ_FROM) -> None:
        self.composite = composite
        self._jobs = jobs
        self._bulk_from = bulk_from
        self._sizes: dict[str, int] = {}

    def page_size(self, source: str) -> int:
        """Rows that a page of *source* holds, as far as is known."""
        return self._sizes.get(source, PAGE)

    def calls_for(self, rows: int, source: str) -> int:
        """Calls that reading *rows* further rows takes."""
        if self.by_job(rows):
            return bulk_read_calls(rows)
        return -(-rows // (SLOTS * self.page_size(source)))

    def by_job(self, rows: int) -> bool:
        """True when so many further rows are read by a Bulk query."""
        return self._jobs is not None and rows >= self._bulk_from

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
            chain.left = page.totalSize - len(page.records) if last else 0
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

    def values(
        self, select: Select, form: Form[Value], chain: Chain, *, resource: str = ""
    ) -> Iterator[Sequence[Value]]:
        """Every row of *select* from where *chain* stands; in no order once very many are left, by a Bulk query then.

        Raises:
            as ``pages``, and ``BulkQuery.pages``.
        """
        while not chain.done:
            if self._jobs is not None and self.by_job(chain.left):
                # Without order, or the platform stops splitting the work.
                rest = select.having(f"Id > '{chain.after}'") if chain.after else select
                for page in self._jobs.pages(rest, chain.left):
                    yield [value for value in map(form.of_csv, page) if value is not None]
                chain.done = True
                return
            answers = self.composite.send(self.parts(select, chain.after), resource=resource or select.source)
            for rows in self.take(answers, select, form.decoder, chain):
                yield form.of_page(rows)

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
