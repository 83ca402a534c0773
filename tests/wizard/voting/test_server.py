"""The page of blind picks, by what a browser or a stranger sends."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from advisor.run_folder.grids.picks_file import append_pick, read_picks
from advisor.run_folder.layout import RunFolder
from templates.report.vote_page import vote_page
from tests.support.report_runs import write_grid
from wizard.voting.server import MOST_BODY_BYTES, VoteServer
from wizard.voting.session import VotingSession


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "secret.png").write_text("secret")
    run = RunFolder(tmp_path / "run")
    write_grid(run.path, epochs=3, prompts=("mira, <smile>", "1girl"), seeds=(1,))
    (run.path / "secret.png").write_text("secret")
    return run


@pytest.fixture
def server(run: RunFolder) -> Iterator[VoteServer]:
    session = VotingSession(run.read_grid(), (), lambda line: append_pick(run.grid.picks, line), seed=3)
    made = VoteServer(session, vote_page("mira", "mira"), lambda name: run.grid.picture(name.removesuffix(".png")))
    thread = Thread(target=made.serve)
    thread.start()
    yield made
    made.stop()
    thread.join(10)
    assert not thread.is_alive()


def asked(
    server: VoteServer, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[HTTPResponse, bytes]:
    host = server.address.split("/")[2]
    with closing(HTTPConnection(host, timeout=10)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer, answer.read()


def got(server: VoteServer, name: str, **headers: str) -> int:
    return asked(server, "GET", f"/{server.token}/{name}", headers=headers)[0].status


def posted(server: VoteServer, document: Any, **headers: str) -> tuple[int, Any]:
    given = {"Content-Type": "application/json"} | headers
    answer, body = asked(server, "POST", f"/{server.token}/", json.dumps(document).encode(), given)
    return answer.status, json.loads(body) if answer.status == 200 else body


def test_the_page_shows_pictures_of_the_grid_and_allows_itself_nothing_else(server: VoteServer) -> None:
    answer, page = asked(server, "GET", f"/{server.token}/")

    assert answer.status == 200
    assert b"Which is the better picture of mira?" in page
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"http" not in page.replace(b"http-equiv", b"")


def test_a_pick_is_kept_at_once_and_the_next_two_are_shown(server: VoteServer, run: RunFolder) -> None:
    status, first = posted(server, {"do": "next"})
    question = first["question"]

    assert status == 200
    assert question["prompt"] == "mira, <smile>"
    assert (question["done"], question["wanted"]) == (0, 9)
    for side in ("left", "right"):
        answer, picture = asked(server, "GET", f"/{server.token}/{question[side]}")
        assert answer.headers["Content-Type"] == "image/png"
        assert picture.startswith(b"\x89PNG")
    assert "epoch" not in json.dumps(first)

    status, second = posted(server, {"do": "pick", "id": question["id"], "picked": "right"})

    assert (status, second["kept"], second["question"]["done"]) == (200, True, 1)
    (line,) = read_picks(run.grid.picks).lines
    assert line.right is not None
    assert (line.picked, line.right.path) == ("right", f"pictures/{question['right']}")


def test_an_answer_given_twice_by_two_tabs_counts_once(server: VoteServer, run: RunFolder) -> None:
    question = posted(server, {"do": "next"})[1]["question"]
    other = posted(server, {"do": "next"})[1]["question"]
    answer = {"do": "pick", "id": question["id"], "picked": "left"}

    assert [posted(server, answer)[1]["kept"] for _ in range(2)] == [True, False]
    assert posted(server, {"do": "pick", "id": other["id"], "picked": "equal"})[1]["kept"]
    assert [line.picked for line in read_picks(run.grid.picks).lines] == ["left", "equal"]


def test_a_pick_is_taken_back(server: VoteServer, run: RunFolder) -> None:
    question = posted(server, {"do": "next"})[1]["question"]
    posted(server, {"do": "pick", "id": question["id"], "picked": "left"})

    again = posted(server, {"do": "undo"})[1]

    assert again["undone"]
    assert again["question"]["left"] == question["left"]
    assert read_picks(run.grid.picks).lines == ()
    assert not posted(server, {"do": "undo"})[1]["undone"]


@pytest.mark.parametrize("name", [
    "../secret.png", "..%2fsecret.png", "%2e%2e/secret.png", "../../secret.png", "grid.json", "picks.jsonl",
    "pictures/x.png", "/etc/passwd", "..\\secret.png", "secret.png", "0" * 64 + ".png", "?x=1", "\x00", "x" * 3000,
])  # fmt: skip
def test_no_other_file_can_be_reached(server: VoteServer, name: str) -> None:
    with closing(socket.create_connection(tuple(server.address.split("/")[2].split(":")), timeout=10)) as line:  # type: ignore[arg-type]
        host = server.address.split("/")[2]
        line.sendall(f"GET /{server.token}/{name} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = line.recv(65536)

    assert answer.split(b"\r\n")[0].split()[1] in (b"404", b"400")
    assert b"secret" not in answer.split(b"\r\n\r\n", 1)[1]


@pytest.mark.parametrize("path", ["/", "//", "/x/", "/favicon.ico", "/{token}x/", "/{token}"])
def test_without_the_token_nothing_is_answered(server: VoteServer, path: str) -> None:
    wrong = path.replace("{token}", server.token)
    if wrong == f"/{server.token}":
        wrong = wrong[:-1]

    for method in ("GET", "POST"):
        assert asked(server, method, wrong)[0].status == 404


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "127.0.0.1:1", "localhost.example.org", "", "[::1]"])
def test_a_name_that_was_made_point_here_is_refused(server: VoteServer, host: str) -> None:
    assert got(server, "", Host=host) == 421
    assert posted(server, {"do": "next"}, Host=host)[0] == 421


def test_a_foreign_pages_request_is_refused(server: VoteServer) -> None:
    own = server.address.rstrip("/").rpartition("/")[0]

    assert posted(server, {"do": "next"}, Origin="https://example.org")[0] == 403
    assert posted(server, {"do": "next"}, Origin="null")[0] == 403
    assert posted(server, {"do": "next"}, **{"Content-Type": "text/plain"})[0] == 415
    assert posted(server, {"do": "next"}, Origin=own)[0] == 200
    assert got(server, "", Host=f"localhost:{own.rpartition(':')[2]}") == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "FOO"])
def test_other_methods_are_refused(server: VoteServer, method: str) -> None:
    answer, _ = asked(server, method, f"/{server.token}/")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_huge_body_is_refused_unread(server: VoteServer) -> None:
    host = server.address.split("/")[2]
    for told in (str(MOST_BODY_BYTES + 1), "9" * 30, "1000000000"):
        with closing(socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=10)) as line:
            head = f"POST /{server.token}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            line.sendall(f"{head}Content-Length: {told}\r\n\r\n".encode())
            assert line.recv(4096).split()[1] == b"413"


@pytest.mark.parametrize(("told", "status"), [(None, b"411"), ("-1", b"411"), ("x", b"411"), ("\u0663", b"411")])
def test_a_body_of_unknown_length_is_refused(server: VoteServer, told: str | None, status: bytes) -> None:
    host = server.address.split("/")[2]
    with closing(socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=10)) as line:
        length = "" if told is None else f"Content-Length: {told}\r\n"
        head = f"POST /{server.token}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{length}\r\n"
        line.sendall(head.encode())
        assert line.recv(4096).split()[1] == status


@pytest.mark.parametrize("document", [
    [], "x", None, {}, {"do": "x"}, {"do": "pick"}, {"do": "pick", "id": 1, "picked": "both"},
    {"do": "pick", "id": True, "picked": "left"}, {"do": "pick", "id": "1", "picked": "left"}, {"do": ["pick"]},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(server: VoteServer, document: Any) -> None:
    assert posted(server, document)[0] == 400


def test_bytes_that_are_no_json_are_refused(server: VoteServer) -> None:
    answer, _ = asked(server, "POST", f"/{server.token}/", b"\xff{", {"Content-Type": "application/json"})

    assert answer.status == 400


def test_a_pick_that_cannot_be_kept_is_told_and_does_not_count(server: VoteServer, run: RunFolder) -> None:
    question = posted(server, {"do": "next"})[1]["question"]
    run.grid.picks.mkdir()

    status, told = posted(server, {"do": "pick", "id": question["id"], "picked": "left"})

    assert status == 500
    assert b"cannot be written" in told
    assert server.session.picks == ()


def test_the_user_ends_it_with_a_button(run: RunFolder) -> None:
    session = VotingSession(run.read_grid(), (), lambda _: None, seed=3)
    server = VoteServer(session, vote_page("mira", ""), lambda name: run.grid.picture(name.removesuffix(".png")))
    thread = Thread(target=server.serve)
    thread.start()

    assert posted(server, {"do": "finish"}) == (200, {"finished": True, "done": 0})
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(ConnectionError):
        got(server, "")


def test_each_sitting_has_an_address_of_its_own(server: VoteServer, run: RunFolder) -> None:
    session = VotingSession(run.read_grid(), (), lambda _: None, seed=3)
    other = VoteServer(session, vote_page("mira", ""), run.grid.picture)

    assert other.token != server.token
    assert len(server.token) >= 24
    assert server.address.startswith("http://127.0.0.1:")
    other._http.server_close()


def test_a_name_is_escaped_on_the_page() -> None:
    page = vote_page("<b>\u202e", "<script>").content.decode()

    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
