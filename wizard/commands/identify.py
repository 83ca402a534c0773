"""`loracle identify`: what a model file is."""

from __future__ import annotations

from advisor.checkpoints.identify import identify as identify_file
from wizard.interview.paths import given_path
from wizard.output import print_json, show
from wizard.show.identity_view import identity_document, identity_lines


def identify(file: str, *, as_json: bool = False) -> None:
    """Print it.

    Raises:
        ModelError: it cannot be read as a model.
    """
    identity = identify_file(given_path(file))
    if as_json:
        print_json(identity_document(identity))
    else:
        show(identity_lines(identity))
