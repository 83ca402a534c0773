"""Taggers on the Hugging Face hub, by name: where they are, how large, and what they must be when they have come."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.errors import ModelError
from advisor.tagging.tagger_model import MODEL_NAME, TAGS_NAME

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class HubFile:
    """A file of a repository."""

    name: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class KnownModel:
    """A tagger on the hub, at one revision."""

    repository: str
    revision: str
    model: HubFile
    title: str
    licence: str = "Apache-2.0"

    @property
    def name(self) -> str:
        """What it is called by."""
        return self.repository.partition("/")[2]

    @property
    def files(self) -> tuple[HubFile, HubFile]:
        """Its files; all have the same list of tags."""
        return self.model, TAGS

    @property
    def num_bytes(self) -> int:
        """Of all its files."""
        return sum(file.num_bytes for file in self.files)

    @property
    def page(self) -> str:
        """Where a person reads of it."""
        return f"{HUB}/{self.repository}"

    def address(self, file: HubFile) -> str:
        """Where a file is downloaded from by hand."""
        return f"{HUB}/{self.repository}/resolve/{self.revision}/{file.name}"


TAGS = HubFile(TAGS_NAME, 308_468, "298633d94d0031d2081c0893f29c82eab7f0df00b08483ba8f29d1e979441217")


def _known(name: str, revision: str, num_bytes: int, sha256: str, title: str) -> KnownModel:
    return KnownModel(f"SmilingWolf/{name}", revision, HubFile(MODEL_NAME, num_bytes, sha256), title)


KNOWN_MODELS = (
    _known(
        "wd-vit-tagger-v3",
        "7f6b584d0bd3f55c4531f14ba3d4761b2bccdc0f",
        378_536_310,
        "35f23693620b668f4d53fd3c62bf65e40af739bc52c7eb0fbc49258b58d065b6",
        "quick, also on a processor",
    ),
    _known(
        "wd-swinv2-tagger-v3",
        "627aef95638667ddcaa3ac8ae625e88ea5b02f51",
        467_460_978,
        "e6774bff34d43bd49f75a47db4ef217dce701c9847b546523eb85ff6dbba1db1",
        "somewhat better, slower",
    ),
    _known(
        "wd-convnext-tagger-v3",
        "d39e46de298d27340111b64965e20b8185c407e6",
        394_990_732,
        "1b8a7abf13d9b8368267df47501d523789c4aeae66b2296ad98483239dfa32eb",
        "about as good",
    ),
    _known(
        "wd-vit-large-tagger-v3",
        "ae469aa2e4706a3af08d3673cf73a11d1add314c",
        1_260_645_673,
        "e4c8001b000a6c98f2db10794f7c406daa79873d071d6ca924330fa053fa1845",
        "better, large: for a card",
    ),
    _known(
        "wd-eva02-large-tagger-v3",
        "b25b82a03f7282e41aa2f257a52c7583b710bd1c",
        1_260_435_999,
        "9e768793060c7939b277ccb382783e8670e8a042d29d77aa736be0c8cc898bfc",
        "the best, large: for a card",
    ),
)
"""All of huggingface.co/SmilingWolf, made for Danbooru's tags; the first is proposed."""


def known_model(name: str) -> KnownModel | None:
    """The model of that name, with its owner or without; None where there is none."""
    wanted = name.strip().rstrip("/").removeprefix(f"{HUB}/").casefold()
    return next((one for one in KNOWN_MODELS if wanted in (one.name, one.repository.casefold())), None)


def refuse_unknown(name: str) -> ModelError:
    """The error for a name that is neither a file nor one of these."""
    names = ", ".join(one.name for one in KNOWN_MODELS)
    return ModelError(
        f"--model {name} is no file or folder here, and none of the taggers that are fetched by name ({names}): name a "
        f"tagger's {MODEL_NAME}, or one of these"
    )
