"""Sequences of templates that no normal one is like."""

import pytest

from components.logs.sequences import fit_sequences

NORMAL = [list("abbcde"), list("abbbcde"), list("abcde"), list("abbcde"), list("abbcfde")]
MODEL = fit_sequences(NORMAL)


@pytest.mark.parametrize("sequence", [*NORMAL, list("abbcfde"), list("abbbbcde")])
def test_normal_sequences_and_their_like(sequence: list[str]) -> None:
    assert MODEL.score(sequence) <= 1


@pytest.mark.parametrize(
    "sequence",
    [
        list("abbcxyzde"),  # events never seen
        list("edcba"),  # an order never seen
        list("abb"),  # what all others have is missing
        list("a" + 99 * "b" + "cde"),  # far too many of one
        [],
    ],
)
def test_others_are_far(sequence: list[str]) -> None:
    assert MODEL.score(sequence) > 1


def test_the_order_of_training_does_not_matter() -> None:
    assert fit_sequences(NORMAL[::-1]).score(list("abzz")) == MODEL.score(list("abzz"))


def test_one_sequence_says_nothing() -> None:
    with pytest.raises(ValueError, match="at least two"):
        fit_sequences(NORMAL[:1])
