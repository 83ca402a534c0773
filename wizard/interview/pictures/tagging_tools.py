"""What tagging does in the world: looks for taggers, fetches one, runs one, remembers it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wizard.interview.pictures.tagger_choice import TaggerSources
from wizard.interview.pictures.tagger_models import found_taggers
from wizard.interview.pictures.tagging import TaggingTools
from wizard.processes.tag_job import add_runtime, refuse_without_runtime, run_fetch, run_tagging
from wizard.show.screen import make_screen
from wizard.user_data import remember, remembered

LAST_TAGGER = "tagger"
"""The key of places.json."""


def real_tools(*, as_json: bool = False, agreed: bool = False, gpu_uuid: str = "") -> TaggingTools:
    """The tools of this machine.

    Args:
        as_json: progress goes to stderr.
        agreed: downloads are agreed to.
        gpu_uuid: the only GPU that is used; empty: the first.
    """
    last = remembered(LAST_TAGGER)
    sources = TaggerSources(
        found=lambda: found_taggers(last, home=Path.home(), windows=sys.platform == "win32"),
        fetch=lambda known: run_fetch(known, make_screen(as_json=as_json)),
        environment=os.environ,
        last=last,
        agreed=agreed,
    )
    return TaggingTools(
        sources=sources,
        tag=lambda request: run_tagging(request, make_screen(as_json=as_json), gpu_uuid=gpu_uuid),
        remember=lambda file: remember(LAST_TAGGER, str(file)),
        refuse=refuse_without_runtime,
        add_runtime=add_runtime,
    )
