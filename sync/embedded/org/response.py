"""Answers whose header names go out as the platform writes them: ``Content-Type``, not ``content-type``.

HTTP does not tell case apart there, yet clients that keep headers in a plain dictionary do.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response


class NamedResponse(Response):
    """A response with the first letter of each part of its header names in upper case."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Take the headers over, with what follows from the body."""
        super().init_headers(headers)
        self.raw_headers = [
            (b"-".join(part.capitalize() for part in name.split(b"-")), value) for name, value in self.raw_headers
        ]
