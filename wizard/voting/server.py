"""Serves the page of a sitting to browsers of this machine, and to nobody who does not know its address.

The address has a random part, without which nothing is answered. A foreign page that a browser shows meanwhile cannot
guess it, and names that it makes point here (DNS rebinding) are not in the Host header that is asked for. What is
served are the page and the pictures of the grid, by names in a list; no path of a request reaches the file system.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, get_args

from advisor.choosing.picks import Picked
from advisor.errors import LoraError
from advisor.files import read_bounded
from advisor.json_text import Malformed, parse_json
from templates.report.vote_page import VotePage
from wizard.voting.session import Question, VotingSession

LOCAL = "127.0.0.1"
MOST_BODY_BYTES = 1024
"""A pick takes about forty."""
MOST_PICTURE_BYTES = 64 * 1024**2
TOKEN_BYTES = 18
SECONDS = 30
"""A browser that neither asks nor closes for so long is hung up on."""
PICKED: tuple[Picked, ...] = get_args(Picked)
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
}  # fmt: skip


class VoteServer:
    """A server of one sitting."""

    def __init__(
        self, session: VotingSession, page: VotePage, picture: Callable[[str], Path], *, port: int = 0
    ) -> None:
        """Listen, on a port that is free.

        Args:
            picture: the file of a picture, by its name, which is one of the session's.

        Raises:
            OSError: it cannot listen.
        """
        self.session, self.page, self.picture = session, page, picture
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self._http = _Http((LOCAL, port), _Handler)
        self._http.voting = self

    @property
    def hosts(self) -> frozenset[str]:
        """What a browser that was given the address has in its Host header."""
        return frozenset(f"{name}:{self._http.server_port}" for name in (LOCAL, "localhost"))

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{LOCAL}:{self._http.server_port}/{self.token}/"

    def serve(self) -> None:
        """Answer until somebody calls `stop`, or Ctrl-C."""
        try:
            self._http.serve_forever(poll_interval=0.2)
        finally:
            self._http.server_close()

    def stop(self) -> None:
        """End `serve`, from a thread that answers."""
        Thread(target=self._http.shutdown, daemon=True).start()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    voting: VoteServer

    def handle_error(self, *_: Any) -> None:
        """A browser that hangs up in the middle is no error of ours."""


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, **headers: str) -> None:
        self.status, self.headers = status, headers


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    timeout = SECONDS
    server_version, sys_version = "Loracle", ""

    def do_GET(self) -> None:
        """The page, and pictures of the grid."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A pick, or what is shown next."""
        self._answer(self._post)

    def __getattr__(self, name: str) -> Any:
        """Every other method is refused by name."""
        if name.startswith("do_"):
            return lambda: self._answer(_no_such_method)
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        """Nothing: a terminal is for the user."""

    def _answer(self, found: Callable[[], tuple[str, bytes]]) -> None:
        try:
            self._refuse_strangers()
            kind, body = found()
        except _Refused as refused:
            self.close_connection = True
            self._send(refused.status, "text/plain", refused.status.phrase.encode(), refused.headers)
        except LoraError as error:
            self._send(
                HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", str(error).encode("utf-8", "replace")
            )
        else:
            self._send(HTTPStatus.OK, kind, body)

    def _refuse_strangers(self) -> None:
        voting = self.server.voting
        origin = self.headers.get("Origin")
        if self.headers.get_all("Host") is None or self.headers.get_all("Host") != [self.headers.get("Host")]:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        if self.headers["Host"] not in voting.hosts:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST)
        if origin is not None and origin not in {f"http://{host}" for host in voting.hosts}:
            raise _Refused(HTTPStatus.FORBIDDEN)
        if not hmac.compare_digest(self._parts[0].encode("utf-8", "replace"), voting.token.encode()):
            raise _Refused(HTTPStatus.NOT_FOUND)

    @property
    def _parts(self) -> tuple[str, str]:
        """Of the address: what stands where the token belongs, and the rest."""
        token, _, rest = self.path.removeprefix("/").partition("/")
        return token, rest

    def _get(self) -> tuple[str, bytes]:
        voting, name = self.server.voting, self._parts[1]
        if name == "":
            return "text/html; charset=utf-8", voting.page.content
        if name not in voting.session.pictures:
            raise _Refused(HTTPStatus.NOT_FOUND)
        try:
            return "image/png", read_bounded(voting.picture(name), MOST_PICTURE_BYTES)
        except OSError:
            raise _Refused(HTTPStatus.NOT_FOUND) from None

    def _post(self) -> tuple[str, bytes]:
        if self._parts[1] != "":
            raise _Refused(HTTPStatus.NOT_FOUND)
        document = _act(self.server.voting, self._body())
        return "application/json", json.dumps(document).encode("ascii")

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":  # a form of a foreign page cannot send that
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        told = self.headers.get("Content-Length", "")
        if not (told.isascii() and told.isdecimal()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        if len(told) > len(str(MOST_BODY_BYTES)) or int(told) > MOST_BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            found = parse_json(self.rfile.read(int(told)))
        except Malformed:
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        if not isinstance(found, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return found

    def _send(self, status: HTTPStatus, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        policy = {"Content-Security-Policy": self.server.voting.page.policy}
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **HEADERS,
            **policy,
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _no_such_method() -> tuple[str, bytes]:
    raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, Allow="GET, POST")


def _act(voting: VoteServer, asked: dict[str, Any]) -> dict[str, Any]:
    """What the page asked for: `next`, `pick`, `undo`, `finish`; the next question with it."""
    session, number = voting.session, asked.get("id")
    picked = next((one for one in PICKED if one == asked.get("picked")), None)
    match asked.get("do"):
        case "next":
            return _document(session.question())
        case "pick" if type(number) is int and picked is not None:
            kept = session.answer(number, picked)
            return {**_document(session.question()), "kept": kept}
        case "undo":
            again = session.undo()
            return {**_document(again or session.question()), "undone": again is not None}
        case "finish":
            voting.stop()
            return {"finished": True, "done": len(session.picks)}
        case _:
            raise _Refused(HTTPStatus.BAD_REQUEST)


def _document(question: Question | None) -> dict[str, Any]:
    return {"question": None if question is None else asdict(question)}
