"""What is asked, as data; and who can ask it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

BACK = "<"
"""The answer that goes one question back."""

Kind = Literal["choice", "line", "folder", "file", "name"]


@dataclass(frozen=True)
class Option:
    """One of several answers."""

    value: str
    title: str


@dataclass(frozen=True)
class Word:
    """A word that can be completed, with what it stands for."""

    word: str
    meaning: str = ""


@dataclass(frozen=True)
class Question:
    """One question; every answer is a text."""

    key: str
    """What the answer is kept under."""
    text: str
    kind: Kind
    """`choice`: one of `options`; `folder`, `file`: a path; `name`: one of `words`, by parts; `line`: any text."""
    options: tuple[Option, ...] = ()
    words: tuple[Word, ...] = ()
    default: str = ""
    """What stands there already, or the option that is marked first."""
    hint: str = ""
    """A half sentence behind the question."""
    intro: str = ""
    """What is told before it is asked."""
    back: bool = True
    """Whether one can go back from here."""


class Ask(Protocol):
    """Asks a person."""

    def __call__(self, question: Question) -> str:
        """The answer, or BACK.

        Raises:
            KeyboardInterrupt: the person wants to stop.
        """

    def tell(self, view: object) -> None:
        """Show a text or a table."""


def choice(key: str, text: str, *options: tuple[str, str], default: str = "", back: bool = True) -> Question:
    """A question with (value, title) options."""
    made = tuple(Option(value, title) for value, title in options)
    return Question(key, text, "choice", options=made, default=default, back=back)


SUBJECT = choice(
    "subject",
    "What shall the LoRA learn?",
    ("character", "A character: one person or figure, in any picture"),
    ("style", "A style: how pictures look, whatever they show"),
    back=False,
)

IMAGES = Question("images", "Which folder holds the pictures?", "folder", hint="drop it here; Tab completes")

MODEL = Question("model", "Which base model do you train on?", "file", hint="file or folder; Tab completes")

PREDICTION = choice(
    "prediction",
    "What does this model predict? (The file does not tell; its page does.)",
    ("epsilon", "Noise (epsilon), as nearly all do"),
    ("v_prediction", "Velocity (v-prediction), told on its page"),
)

NAME = Question("name", "What is the LoRA called?", "line", hint="becomes its file name")

TRIGGER = Question("trigger", "Which word calls it up in a prompt?", "line", hint="a rare word works best")

PREDICTION_DOUBTFUL = frozenset({"sd2", "sdxl"})
"""Families with well-known bases of both kinds; elsewhere a file that does not tell is of the usual kind."""

LINEAGES: dict[str, tuple[Option, ...]] = {
    "sd1": (
        Option("nai", "NovelAI's model, or a mix close to it"),
        Option("anylora", "AnyLoRA, or a mix close to it"),
        Option("anime", "Another model for drawings"),
        Option("none", "None of these, or I do not know"),
    ),
    "sdxl": (
        Option("illustrious", "Illustrious"),
        Option("noobai", "NoobAI"),
        Option("animagine", "Animagine"),
        Option("pony", "Pony"),
        Option("none", "None of these, or I do not know"),
    ),
}
"""By family: the well-known bases that rules differ for."""

GENERATIONS: tuple[Option, ...] = (
    Option("12.0", "RTX 50 series"),
    Option("8.9", "RTX 40 series"),
    Option("8.6", "RTX 30 series"),
    Option("7.5", "RTX 20 series, GTX 16 series, T4"),
    Option("6.1", "GTX 10 series"),
)
"""NVIDIA's cards, by compute capability."""

VRAM = Question("vram", "How much memory does that card have?", "line", default="8 GiB", hint="as it is sold")

GENERATION = Question("generation", "Which kind of card is it?", "choice", options=GENERATIONS, default="8.6")
