"""Questions as data, and the protocol of what asks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

BACK = "<"
"""The answer that goes one question back."""

QuestionKind = Literal["choice", "line", "text", "folder", "file", "name"]


@dataclass(frozen=True)
class Option:
    """One answer of a choice."""

    value: str
    title: str


@dataclass(frozen=True)
class Candidate:
    """A name that Tab completes, with its description."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class Question:
    """One question; every answer is a text."""

    key: str
    """The key of the answer in `InterviewState.answers` and session.json."""
    text: str
    kind: QuestionKind
    """`choice`: one of `options`; `folder`, `file`: a path; `name`: one of `candidates`, by parts; `line`: any text;
    `text`: any text, in which `<` may stand at the end."""
    options: tuple[Option, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    default: str = ""
    """The text in the input line, or the value of the option that is preselected."""
    is_replaced: bool = False
    """Of a line: what is typed takes the place of the default; Backspace, End and the arrows keep it to be edited."""
    hint: str = ""
    """Shown in parentheses behind the question."""
    intro: str = ""
    """Printed before the question."""
    back: bool = True
    """Whether a choice offers `< back`."""


class Ask(Protocol):
    """Asks the user; `wizard.interview.ask` does so in a terminal, tests by a script."""

    def __call__(self, question: Question) -> str:
        """The answer, or BACK.

        Raises:
            KeyboardInterrupt: Ctrl-C or Ctrl-D.
        """

    def tell(self, view: object) -> None:
        """Print a text or a rich table."""


def choice(key: str, text: str, *options: tuple[str, str], default: str = "", back: bool = True) -> Question:
    """A question with (value, title) options."""
    made = tuple(Option(value, title) for value, title in options)
    return Question(key, text, "choice", options=made, default=default, back=back)


def skip_broken_question() -> Question:
    """Whether to train without pictures that were just named; its answer is yes or no."""
    return choice(
        "skip_broken",
        "Train without them?",
        ("no", "No, I mend or replace them"),
        ("yes", "Yes, leave them out of this run"),
        back=False,
    )


def replace_question(name: str) -> Question:
    """Whether to replace an existing file; its answer is yes or no."""
    return choice("replace", f"{name} is there already. Replace it?", ("no", "No"), ("yes", "Yes"), back=False)


FLEXIBLE = "flexible"
"""The answer to SUBJECT that means a character and says what matters."""

SUBJECT = choice(
    "subject",
    "What shall the LoRA learn?",
    ("character", "A character, as exactly as it can be"),
    (FLEXIBLE, "A character that stays flexible: new outfits and scenes come before exactness"),
    ("style", "A style: how pictures look, whatever they show"),
    back=False,
)

IMAGES = Question("images", "Which folder holds the pictures?", "folder", hint="drop it here; Tab completes")

MODEL = Question("model", "Which base model do you train on?", "file", hint="file or folder; Tab completes")

PART_KEYS = {"text_encoder": "text_encoder_path", "vae": "vae_path"}
"""By kind of part: the key of the question where it lies, which is its setting's name."""


def part_question(kind: str, title: str, to_get: str) -> Question:
    """Where a part of the base model lies that was not found."""
    intro = f"The {title} is a file of its own, and none that fits lies beside the model: {to_get} is what to get."
    return Question(PART_KEYS[kind], f"Where is its {title}?", "file", hint="file; Tab completes", intro=intro)


PREDICTION = choice(
    "prediction",
    "What does this model predict? (The file does not tell; its page does.)",
    ("epsilon", "Noise (epsilon), as nearly all do"),
    ("v_prediction", "Velocity (v-prediction), told on its page"),
)

NAME = Question("name", "What is the LoRA called?", "line", hint="becomes its file name", is_replaced=True)

TRIGGER = Question(
    "trigger", "Which word calls it up in a prompt?", "line", hint="a rare word works best", is_replaced=True
)

PREPEND_TRIGGER = choice(
    "prepend_trigger",
    "Put it in front of them while training? Your files stay as they are.",
    ("yes", "Yes, so that the LoRA answers to it"),
    ("no", "No, captions are trained as they are"),
    default="yes",
)

PREDICTION_DOUBTFUL = frozenset({"sd2", "sdxl"})
"""Families with base models of both predictions; of other families a file without metadata predicts epsilon."""

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
"""By family: the lineages that rules distinguish."""

GENERATIONS: tuple[Option, ...] = (
    Option("12.0", "RTX 50 series"),
    Option("8.9", "RTX 40 series"),
    Option("8.6", "RTX 30 series"),
    Option("7.5", "RTX 20 series, GTX 16 series, T4"),
    Option("6.1", "GTX 10 series"),
)
"""NVIDIA's cards, by compute capability."""

CARD = Question("card", "Which card is it?", "line", hint="e.g. RTX 3060 12GB; just Enter if you do not know")

BY_MEMORY = "leave the line empty, press Enter and give its memory"
"""What to do with a card that CARD does not know."""

VRAM = Question(
    "vram", "How much memory does that card have?", "line", default="8 GiB", hint="as it is sold", is_replaced=True
)

GENERATION = Question("generation", "Which kind of card is it?", "choice", options=GENERATIONS, default="8.6")
