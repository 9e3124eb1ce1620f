"""External ids that stand more than once in one request: the platform refuses every row that has one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sync.embedded.org.errors import OrgError
from sync.embedded.org.schema import Field, ObjectType
from sync.embedded.org.values import stored_value


def given_id(external: Field, values: Mapping[str, Any]) -> Any:
    """The external id that a row gives, None where it gives none."""
    return next((value for name, value in values.items() if name.lower() == external.name.lower()), None)


class ExternalIds:
    """The external ids of the rows of one request (or of 200 rows of a job).

    Args:
        item: the object that the rows are of.
        external: the field that holds their external id.
        rows: the rows as values to write.
    """

    def __init__(self, item: ObjectType, external: Field, rows: Iterable[Mapping[str, Any]]) -> None:
        self._item, self._external = item, external
        counts = Counter(self._key(given_id(external, values)) for values in rows)
        self._repeated = {key for key, count in counts.items() if count > 1 and key is not None}

    def _key(self, given: Any) -> Any:
        if given is None or self._external.type == "id":
            return None
        try:
            stored = stored_value(self._external, self._item, given)
        except OrgError:  # told when the row's turn comes
            return None
        return stored.casefold() if isinstance(stored, str) else stored

    def check(self, given: Any) -> None:
        """Raise OrgError DUPLICATE_VALUE for an external id that another row of the request has, too."""
        if self._key(given) in self._repeated:
            words = f"Duplicate external id specified: {given}"
            raise OrgError("DUPLICATE_VALUE", words, (self._external.name,))
