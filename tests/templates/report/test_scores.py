from __future__ import annotations

import pytest

from advisor.choosing.cells import Choice, EpochScores, Interval
from templates.report.scores import HIGH, WIDE, choice_view, number, score_view
from tests.support.report_runs import choice, scores


def test_the_choice_is_told_with_its_epoch_weight_and_how_sure_it_is() -> None:
    view = choice_view(choice())

    assert view.headline == "Take epoch 6"
    assert view.tone == "good"
    assert dict(view.facts) == {
        "sure": "92 %", "weight": "1", "as good": "epochs 6 and 7", "runner-up": "epoch 7", "damaged": "from epoch 9",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"verdict": "unsure", "epoch": None, "tied": ()}, "The scores do not tell the epochs apart"),
        ({"verdict": "underfit", "epoch": 10}, "It has not learned enough yet"),
        ({"verdict": "burnt", "epoch": 3}, "Burnt: take epoch 3"),
        ({"verdict": "burnt", "epoch": None}, "Burnt"),
        ({"verdict": "no_trigger", "epoch": None}, "The trigger does not call the character"),
    ],
)
def test_what_is_wrong_stands_in_the_headline(changes: dict[str, object], headline: str) -> None:
    view = choice_view(choice(**changes))

    assert (view.headline, view.tone) == (headline, "look")


def test_the_next_run_that_is_offered_is_told_by_its_settings() -> None:
    view = choice_view(choice(verdict="burnt", changes={"optimizer.unet_learning_rate": 5e-5, "schedule.epochs": 8}))

    assert view.changes == (("optimizer.unet_learning_rate", "5e-5"), ("schedule.epochs", "8"))


def test_scores_have_a_row_for_each_epoch_and_a_panel_for_each_measure() -> None:
    view = score_view(scores(10), choice())

    assert view is not None
    assert [measure.title for measure in view.measures] == ["Likeness", "Obedience", "Leak", "Damage"]
    assert [row.label for row in view.rows][:2] == ["epoch 1", "epoch 2"]
    assert [row.mark for row in view.rows] == ["", "", "", "", "", "chosen", "tied", "", "", ""]
    assert view.rows[0].cells[0] == ("0.17", "0.12 to 0.22")
    assert [len(panel.whiskers) for panel in view.panels] == [10, 10, 10, 10]
    assert "epoch 6: 0.40 (0.35 to 0.45)" in view.panels[0].text


def test_a_value_lies_within_its_interval_on_the_drawing_and_that_within_the_panel() -> None:
    view = score_view(scores(10), None)

    assert view is not None
    for one in (whisker for panel in view.panels for whisker in panel.whiskers):
        assert 0 < one.high <= one.y <= one.low < HIGH
        assert 0 < one.x < WIDE


def test_panels_are_at_the_chosen_weight_and_rows_of_all() -> None:
    both = (*scores(2, 0.6), *scores(2, 1.0))
    view = score_view(both, choice(epoch=2, weight=0.6, tied=(1, 2)))

    assert view is not None
    assert (view.weight, view.with_weights) == (0.6, True)
    assert [(row.label, row.mark) for row in view.rows] == [
        ("epoch 1, weight 0.6", "tied"), ("epoch 1, weight 1", ""),
        ("epoch 2, weight 0.6", "chosen"), ("epoch 2, weight 1", ""),
    ]  # fmt: skip
    assert [len(panel.whiskers) for panel in view.panels] == [2, 2, 2, 2]


@pytest.mark.parametrize("chosen", [None, choice()])
def test_no_scores_are_no_view(chosen: Choice | None) -> None:
    assert score_view((), chosen) is None
    assert score_view((EpochScores(1, 1.0, {}),), chosen) is None


def test_one_epoch_alone_is_drawn_too() -> None:
    view = score_view((EpochScores(1, 1.0, {"likeness": Interval(0.0, 0.0, 0.0)}),), None)

    assert view is not None
    assert len(view.panels[0].whiskers) == 1


def test_numbers_have_three_digits_that_count() -> None:
    assert [number(one) for one in (0.123, -0.5, 12.34, 123456.0, -0.001)] == [
        "0.12", "\u22120.50", "12.3", "1.23e+05", "0.00"
    ]  # fmt: skip
