"""Results of Bulk queries on disk: any page of any text is read back as it was put down."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.embedded.org.bulk_results import Results

CELLS = st.one_of(st.none(), st.sampled_from(["Sent", "Responded"]), st.text(alphabet='ab",;é\n', max_size=6))


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, st.integers(0, 3), CELLS), max_size=12),
    page=st.integers(1, 5),
    delimiter=st.sampled_from([",", ";"]),
)
def test_pages_are_the_rows(rows: list[tuple[str | None, int, str | None]], page: int, delimiter: str) -> None:
    header = ["A", "B", "C"]
    results = Results(header, (None, str, None), delimiter=delimiter, end="\r\n", folder=Path(tempfile.gettempdir()))
    for start in range(0, len(rows), 4):
        results.add(rows[start : start + 4])
    results.finish()
    found: list[list[str]] = []
    for start in range(0, max(1, len(rows)), page):
        content, count = results.page(start, page)
        lines = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))
        assert lines[0] == header
        assert len(lines) - 1 == count
        found += lines[1:]
    assert found == [["" if cell is None else str(cell) for cell in row] for row in rows]
    assert results.page(len(rows) + 1, page)[1] == 0
    results.close()
