"""The loopback address that a browser is sent back to after a login; it can be reached from this machine only."""

from __future__ import annotations

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PAGE = b"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>Predictive Console</title></head>
<body><p>Thank you. You can close this window and go back to the terminal.</p></body></html>"""


class Loopback:
    """Listens while it is entered; what the browser came back with is in ``returned``, as a whole address.

    Attributes:
        trouble: why the port cannot be listened on, "" when it can; pasting still works then.
    """

    def __init__(self, port: int) -> None:
        self.returned: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.trouble = ""
        self._server: ThreadingHTTPServer | None = None
        returned = self.returned

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(_PAGE)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(_PAGE)
                if "?" in self.path:
                    returned.put(f"http://localhost:{port}{self.path}")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the address holds a code."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__

    def __enter__(self) -> Loopback:
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, name="loopback", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
