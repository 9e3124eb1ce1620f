"""What a meter says of writes of which some are of the same record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sync.packing import Target, target_of
from sync.ports import OrgWrite, WriteMeter


def measured(meter: WriteMeter, writes: Iterable[OrgWrite]) -> tuple[int, int]:
    """Calls, and the fewest possible."""
    together: dict[Target, OrgWrite] = {}
    for write in writes:
        known = together.get(target_of(write))
        if known is not None:
            write = replace(write, values={**known.values, **write.values}, expect=known.expect or write.expect)
        together[target_of(write)] = write
    for write in together.values():
        meter.add(write)
    return meter.cost()[:2]
