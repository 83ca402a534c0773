"""The page of blind picks."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass

from markupsafe import Markup

from templates.render import render


@dataclass(frozen=True)
class VotePage:
    """The page, and what it may do."""

    content: bytes
    policy: str
    """Of its header Content-Security-Policy."""


def vote_page(name: str, trigger: str) -> VotePage:
    """The page on which two pictures of a LoRA are shown."""
    script = render("report/files/vote.js")
    digest = b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    style, text = Markup(render("report/files/style.css")), Markup(script)
    page = render("report/files/vote.html.j2", name=name, trigger=trigger, style=style, script=text)
    return VotePage(page.encode("utf-8"), policy)
