"""The server: on this machine only, for who knows the token.

The token is bokeh's own signed session id: a page or a socket without one, or with one that this
server has not signed, is refused. It listens on 127.0.0.1 alone; through an SSH tunnel the
browser still says ``localhost`` or ``127.0.0.1``, on whatever port the tunnel has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskreg.errors import UsageError
from maskreg.report.style import require_bokeh

ADDRESS = "127.0.0.1"

TOKEN_SECONDS = 24 * 3600
"""How long after its loading a page may connect: a laptop that slept comes back."""


class PageServer:
    """Serves one page until it is told to stop.

    Parameters
    ----------
    build : callable
        Fills a bokeh document; called for every browser that comes.
    port : int
        0 takes a free one.

    Raises
    ------
    UsageError
        When the port is taken.
    MissingExtraError
        When bokeh is not installed.
    """

    def __init__(self, build: Callable[[Any], object], port: int = 0) -> None:
        require_bokeh()
        from bokeh.application import Application
        from bokeh.application.handlers import FunctionHandler
        from bokeh.server.server import BaseServer
        from bokeh.server.util import bind_sockets
        from bokeh.util.token import generate_secret_key
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop

        self._key = generate_secret_key().encode()
        application = _tornado()(
            {"/": Application(FunctionHandler(build))},
            secret_key=self._key,
            sign_sessions=True,
            generate_session_ids=False,
            extra_websocket_origins=["localhost:*", f"{ADDRESS}:*"],
            session_token_expiration=TOKEN_SECONDS,
        )
        try:
            sockets, self.port = bind_sockets(ADDRESS, port)
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"--port {port} cannot be had ({why}); take another, or none") from error
        web = HTTPServer(application)
        web.add_sockets(sockets)
        self._server = BaseServer(IOLoop.current(), application, web)

    def url(self) -> str:
        """Return an address that is let in."""
        from bokeh.util.token import generate_session_id

        session = generate_session_id(secret_key=self._key, signed=True)
        return f"http://{ADDRESS}:{self.port}/?bokeh-session-id={session}"

    def run(self) -> None:
        """Serve until Ctrl-C."""
        self._server.start()
        try:
            self._server.io_loop.start()
        finally:
            self._server.stop()


def _tornado() -> Any:
    """Return bokeh's web application, which hands out no more scripts than the page uses."""
    from bokeh.resources import Resources
    from bokeh.server.tornado import BokehTornado

    class Tornado(BokehTornado):  # type: ignore[misc]  # bokeh is not read by mypy here
        def resources(self, absolute_url: str | bool | None = None) -> Resources:
            return super().resources(absolute_url).clone(components=["bokeh", "bokeh-widgets"])

    return Tornado
