"""How unlike the normal ones a sequence of templates is: of one request, job or instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Share of normal sequences that are tolerated: one odd job must not be the measure of all.
_USUAL = 0.9
_BEGIN, _END = object(), object()


@dataclass(frozen=True)
class SequenceModel:
    """What normal sequences are like, and how far each of them is from all others, which is the measure of far."""

    events: Counter[Hashable]
    steps: Counter[tuple[Hashable, Hashable]]
    counts: dict[Hashable, Counter[int]]
    sequences: int
    tolerated: Floats

    def score(self, sequence: Sequence[Hashable]) -> float:
        """The score of a sequence: more than 1 where it is further from the normal ones than nearly each of them is."""
        return float((_distances(sequence, self) / self.tolerated).max())


def fit_sequences(normal: Sequence[Sequence[Hashable]]) -> SequenceModel:
    """Learn from at least two normal sequences; ValueError where there are fewer.

    A sequence is looked at in four ways: events that no other has, steps from one event to the next that no other has,
    events that it lacks and all others have, and numbers of an event that no other has. What is tolerated of each is
    what nine of ten normal sequences show when they are compared with all other normal ones (leave one out).
    """
    if len(normal) < 2:
        raise ValueError(f"{len(normal)} normal sequences; at least two are needed")
    whole = _learn(normal, np.ones(4))
    apart = np.array([_distances(one, _without(whole, one)) for one in normal])
    # Half a thing more than what was seen is tolerated: differences are whole.
    return _learn(normal, np.quantile(apart, _USUAL, axis=0) + 0.5)


def _learn(normal: Iterable[Sequence[Hashable]], tolerated: Floats) -> SequenceModel:
    events, steps, counts = Counter[Hashable](), Counter[tuple[Hashable, Hashable]](), dict[Hashable, Counter[int]]()
    number = 0
    for sequence in normal:
        number += 1
        seen = Counter(sequence)
        events.update(seen.keys())
        steps.update(set(_steps(sequence)))
        for event, count in seen.items():
            counts.setdefault(event, Counter())[count] += 1
    return SequenceModel(events, steps, counts, number, tolerated)


def _without(model: SequenceModel, sequence: Sequence[Hashable]) -> SequenceModel:
    """The model without one of the sequences it has learnt."""
    seen = Counter(sequence)
    counts = {event: Counter(known) for event, known in model.counts.items() if event in seen}
    for event, count in seen.items():
        counts[event][count] -= 1
    events, steps = model.events - Counter(seen.keys()), model.steps - Counter(set(_steps(sequence)))
    return SequenceModel(events, steps, model.counts | counts, model.sequences - 1, model.tolerated)


def _distances(sequence: Sequence[Hashable], model: SequenceModel) -> Floats:
    """New events, new steps between known events, missing events, and new numbers of an event, by their factor."""
    seen = Counter(sequence)
    new = [event for event in seen if not model.events[event]]
    steps = {step for step in _steps(sequence) if not model.steps[step]}
    known = [step for step in steps if all(event is _BEGIN or event is _END or model.events[event] for event in step)]
    missing = [event for event, count in model.events.items() if count == model.sequences and event not in seen]
    beyond = 0.0
    for event, count in seen.items():
        usual = [number for number, times in model.counts.get(event, Counter()).items() if times > 0]
        if usual and not min(usual) <= count <= max(usual):
            beyond += abs(np.log2(count / (min(usual) if count < min(usual) else max(usual))))
    return np.array([len(new), len(known), len(missing), beyond], dtype=np.float64)


def _steps(sequence: Sequence[Hashable]) -> list[tuple[Hashable, Hashable]]:
    return list(pairwise([_BEGIN, *sequence, _END]))
