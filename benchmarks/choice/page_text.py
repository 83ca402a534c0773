"""The words of docs/choosing.md."""

from __future__ import annotations

TEXT = """# The recommended epoch, and the best one

Made by `{command}` from an empty folder; what is there already is kept.
All figures: `benchmarks/results/choice.json`. Measured on {machine}.

On the embedded base model it is known which epoch is best: everything is drawn by our own code, so the character's
colours can be looked for at their places. {runs} trainings{of_design} were judged twice. They are of two characters
whom no other set has, at two rates and two ranks, 120 to 320 steps long; two in three train the character alone, half
of these at a rate that does not fall (`{design_name}` in `benchmarks/choice/design.py`). In {passed} of them the best
epoch is not the last.

- *Recommended*: what `advisor.choosing` says of the measures of `trainer.evaluate`, on pictures of {prompts} prompts
  and {seeds} seeds at each of 6 or 8 epochs.{drawn_on}
- *True*: identity x obedience x no leak, by classifiers of colours in regions that no recommender sees, on other
  prompts and seeds, {truth_pictures} an epoch. What each is: `benchmarks/choice/truth.py`.

{history}

## What came of it

| | |
|---|---|
| recommended epoch within 5 % of the best one's true score | {close} of {runs} |
| runs without a recommended epoch | {no_epoch} of {runs} |
| called tied, and of these within 5 % by the epoch to take | {tied_close} of {tied} |
| runs made to be bad that were named | {named_bad} of {bad} |
| runs made to be good that were not called bad | {named_good} of {good} |

Wanted are nine in ten within 5 %, all ties within 5 %, no epoch in at most three of 24, every bad run named and no good
one.{short}

| rule | mean true score | within 5 % of the best |
|---|---|---|
{rules}

The truth has an error of its own: the ratio of the recommended epoch's score to the best one's is known within +- what
stands beside it (one standard error, by a bootstrap over the truth's prompts), and the best of several epochs is in
part the luckiest. Of the misses {beyond} lie two standard errors or more beyond 5 %.{again}

## How sure it was

| told | runs | told on average | within 5 % |
|---|---|---|---|
{reliability}

On average it said {mean_confidence:.2f}; {share_close:.2f} were within 5 %.

## Misses

{misses}

## All runs

True scores; *best*, *last* and the epochs of lowest loss with their true scores. Ratio: of the recommended epoch's to
the best's.

| run | said | epoch | score | best | last | lowest training loss | lowest validation loss | ratio | sure |
|---|---|---|---|---|---|---|---|---|---|
{table}

## Runs that were made to be bad

| run | made to be | said | sentence |
|---|---|---|---|
{bad_table}
"""

HISTORY = {
    "final": """\
Nothing was tuned on these runs. Runs, prompts and truth were fixed before they were begun (commit {design}). While they
trained, the choice was still changed, on older runs alone; it was fixed before any of their pictures was drawn (commit
{choice}), and judged once. What it was tuned on: `DEVELOPMENT`, `FIRST` and `SECOND`, which this page was about before.
As the choice was when it first saw them, 17 of 24 of `FIRST` were within 5 % of the best (5 of 8 ties; commit e10cc13),
and 20 of 24 of `SECOND` (3 of 5 ties, mean true score 0.378, last epoch 0.382; commit 78d7486).

The choice was changed since, after these runs had been seen (docs/decisions/0052-smooth-likeness.md). The present one
takes 17 of these 24 within 5 % (5 of 5 ties), with a mean of 0.412, and by the truth of many seeds below 21 (5 of 5
ties), with a mean of 0.404. That is no judgement: all below is what was judged.""",
    "fourth": """\
Nothing was tuned on these runs. Runs, prompts, truth, and what draws and measures were fixed before the first of them
was begun (commit {design}). While they trained, the choice was still changed, on older runs alone, and nothing of these
was looked at; it was fixed before they were judged (commit {choice}), and they were judged once. What it was tuned on:
`DEVELOPMENT`, `FIRST`, `SECOND` and `FINAL` (docs/decisions/0052-smooth-likeness.md), of which it takes 4 of 4, 17, 24
and 21 of 24 within 5 %. As the choice was when it first saw them, 17 of 24 of `FIRST` were within 5 % of the best
(commit e10cc13), 20 of 24 of `SECOND` (commit 78d7486) and 12 of 24 of `FINAL` (commit fbd9c33; by a truth of 20 seeds
17, where the last epoch had 18 and the lowest loss 20). The truths of these sets are of one or two seeds but for that,
and err by more than 5 % themselves (docs/decisions/0039-which-epoch.md).""",
    "fifth": """\
Nothing was tuned on these runs. Runs and prompts were fixed before the first of them was begun (commit {design}). While
they trained, more was still changed, on older runs alone, and nothing of these was looked at: further seeds are drawn
where the choice is not sure (docs/decisions/0057-more-seeds-where-unsure.md), and so are further pictures of the truth
where it is too coarse to tell which epochs are within 5 % of the best, by a rule that knows nothing of the choice
(`benchmarks/choice/rounds.py`). All of it was fixed before they were judged (commit {choice}), and they were judged
once. What it was tuned on: `DEVELOPMENT`, `FIRST`, `SECOND`, `FINAL` and `FOURTH`. As the choice was when it first saw
them, 17 of 24 of `FIRST` were within 5 % of the best (commit e10cc13), 20 of 24 of `SECOND` (commit 78d7486), 12 of 24
of `FINAL` (commit fbd9c33; by a truth of 20 seeds 17) and 20 of 24 of `FOURTH` (commit 39e5be2; last epoch 20, lowest
loss 20), three of whose four misses were told with a chance of 0.77 to 0.82.""",
}
"""What was fixed when, by the name of the set."""
AGAIN = """

## Judged again by a truth of many seeds

The truth above is drawn from a single seed. After these runs had been judged it was found that what an epoch makes of a
seed's noise it makes of it at all prompts: in the three sets before, the likeness of an epoch shifts from the others'
by 0.08 with the seed and by 0.01 with the prompt (standard deviations). A bootstrap over prompts cannot see that. So
the same epochs of the same runs, taken by the same choice, were judged again by {pictures} other pictures of each
epoch, from {seeds} seeds: an epoch's pictures with the trigger have each a seed of their own.

- By this truth {close} of {runs} recommended epochs are within 5 % of the best one's score, {tied_close} of {tied}
  ties.
- The epochs that the truth of one seed calls the best are within 5 % in {first_best} of {runs} runs by this one.
- Within runs, of epochs that are worth most, the logarithm of the score is spread by 0.118. By one seed it errs by
  0.119, by {seeds} by 0.046 (bootstrap over pictures; what is left between the two truths is the error of the first).
  A choice that knows all would be within 5 % of what looks best in 0.56 of runs by one seed, in 0.83 by 20, in 0.91 by
  40 and in 0.97 by 80 (simulated from these errors). Of two halves of 10 seeds the best epoch of one is within 5 % of
  the other's best in 0.80, worth 0.972 of it. So one seed cannot show nine in ten, and neither can this judgement;
  later sets are judged by 80 pictures with the trigger and 80 without.

| rule | mean true score | within 5 % of the best |
|---|---|---|
{rules}

The recommender's own pictures erred in the same way: 10 prompts from the same two seeds, by which the likeness errs
by 0.06. Grids draw each prompt from seeds of its own since then, by which as many pictures err by 0.03 to 0.04. What
that makes of the choice is not judged yet: `python -m benchmarks.choice fourth --work FOLDER --page` does it, by two
characters that nobody has trained.

| run | true scores of the epochs, again | best | taken | ratio at first | ratio again |
|---|---|---|---|---|---|
{table}
"""
