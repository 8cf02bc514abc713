"""Merging sibling shapes: those that differ in one word only become one template with a `<*>` there.

"Invalid user anna", "Invalid user bob", … hold no digit that would mask the name; that the word takes many
values while the rest stays says that it is a variable. Every shape of the file votes, so the result does not
depend on the order of the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.masking import WILDCARD
from components.logs.skeletons import CELLS, free_words, runs

Keys = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

# Longer shapes stay as they are: they are dumps rather than sentences, and extraction needs a regex per template.
MAX_WORDS, MAX_LENGTH, MAX_WILDCARDS = 160, 2048, 64
# Each round turns one more word of a shape into a variable; sentences with more free words than this are rare.
_ROUNDS = 8
# A value found in one place lets words be told in another; after the third look there is hardly anything new.
_LOOKS = 3
#: Joins the words that a shape is cut into beside its spaces: in `user=root` the value alone is free.
_GLUE = "\x1f"
#: What a word ends at beside spaces, each in a word of its own, so that a variable word may stand on either side:
#: `worker[7]`, `host:80`, `src/main.rs:4`, `a,b`, `<UP,LOOP>`, the dot that ends a sentence.
_CUTS = (
    (r"([\w>\"'])([=(\[{])", f"${{1}} {_GLUE}${{2}}"),
    (r"([=(\[{])", f"${{1}}{_GLUE} "),
    (r"((?:^|\s)[\"'])(\w|<)", f"${{1}}{_GLUE} ${{2}}"),
    (r"([\w>])([\"'])([\s,;:.)\]}]|$)", f"${{1}} {_GLUE}${{2}}${{3}}"),
    (r"([\w>])([:#@])((?-u:\b)|<)", f"${{1}} {_GLUE}${{2}}{_GLUE} ${{3}}"),
    (r"(<)((?-u:\b))", f"${{1}}{_GLUE} "),
    (r"(\w|<\*>)(>)", f"${{1}} {_GLUE}${{2}}"),
    (r"([)\]},;]|:(?:\s|$))", f" {_GLUE}${{1}}"),
    (r"([,;])([^\s,;\x1f])", f"${{1}}{_GLUE} ${{2}}"),
    (r"([\w>])(\.+)(\s|$)", f"${{1}} {_GLUE}${{2}}${{3}}"),
)
#: The more words a statement has, the fewer values tell that another one is a variable: a third less where eight are
#: the same. Sentences that differ in one of two or three words are mostly other statements, however long they are.
_MOST_SHARED, _WHOLE = 8, 24
#: Votes are summed beside the number of those who vote, in one number.
_ONE = 1 << 24
#: Words that look like values: names with a number, dotted names, literals of programming languages, and units.
UNIT = "(?:[KMGTP]i?)?B(?:/s)?|[kmgt]b|bytes|[num]s|s|secs?|mins?|hours?|days?"
_IS_UNIT = re.compile(UNIT)
_SIGNED = r"^[#$@]<\*>$"
_METHOD = "^(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS)$"
_VALUE = rf"[0-9]|^(?i:true|false|null|none|nil|yes|no|on|off)$|^(?:{UNIT})$|^[A-Za-z_]\w*(?:\.\w+){{2,}}$|{_SIGNED}"


def merge_siblings(shapes: pl.Series, min_siblings: int, values: Sequence[str] = ()) -> pl.Series:
    """The template of each shape, in the order given; `values` are words that are known to be values.

    A word becomes `<*>` where at least `min_siblings` shapes differ in that word alone, or down to a third less the
    more words they share. Of words that look like values (after `=`, with a digit, or variable elsewhere in the file)
    two are enough, and so is one word beside a `<*>` in its place.
    """
    templates = shapes.to_list()
    groups = [*_groups(shapes, min_siblings)]
    known: Keys = np.unique(pl.Series(list(values), dtype=pl.String).hash(seed=1).to_numpy())
    for _ in range(_LOOKS):
        seen = np.unique(np.concatenate([known, *(group.find(known) for group in groups)]))
        if len(seen) == len(known):
            break
        known = seen
    for group in groups:
        group.sweep()
        group.absorb()
        for row, template in group.templates():
            templates[row] = template
    return pl.Series("template", templates, dtype=pl.String)


def _groups(shapes: pl.Series, needed: int) -> Iterator[_Group]:
    """The mergeable shapes, those of one number of words together; words are looked at once for all groups."""
    cut = shapes
    for pattern, cut_up in _CUTS:
        cut = cut.str.replace_all(pattern, cut_up)
    frame = pl.DataFrame({"shape": shapes, "words": cut.str.split(" ")}).with_row_index("row")
    mergeable = (
        pl.col("words").list.len().is_between(2, MAX_WORDS)
        & (pl.col("shape").str.len_bytes() <= MAX_LENGTH)
        & (pl.col("shape").str.count_matches(WILDCARD, literal=True) <= MAX_WILDCARDS)
        & ~pl.col("shape").str.contains(_GLUE, literal=True)
    )
    candidates = frame.filter(mergeable).with_columns(pl.col("words").list.len().alias("length"))
    candidates = candidates.sort("length", "shape")
    words = _Words(candidates["words"].explode() if len(candidates) else pl.Series([], dtype=pl.String))
    row = word = 0
    for length, count in candidates.group_by("length", maintain_order=True).len().iter_rows():
        if count > 1:
            some = candidates[row : row + count]
            yield _Group(some["row"].to_list(), some["words"], words.table(word, count, length), needed)
        row, word = row + count, word + count * length


class _Words:
    """What is known of words; arrays of one row per word, or of shapes x words."""

    def __init__(self, words: pl.Series) -> None:
        masked, glued = words.str.contains(WILDCARD, literal=True), words.str.contains(_GLUE, literal=True)
        signed, wordy, value = (words.str.contains(pattern) for pattern in (_SIGNED, "[[:alpha:]]", _VALUE))
        self._columns: dict[str, npt.NDArray[Any]] = {
            "hashes": words.hash(seed=1).to_numpy().astype(np.uint64),
            "pure": (words == WILDCARD).to_numpy(),
            "literal": ((~masked | signed) & ~glued).to_numpy(),
            "wordy": (wordy & ~masked).to_numpy(),
            "values": value.to_numpy(),
            "method": words.str.contains(_METHOD).to_numpy(),
            "quoting": words.str.contains(rf"[\"']{_GLUE}$").to_numpy(),
            "before_value": words.str.ends_with("=" + _GLUE).to_numpy(),
        }

    def table(self, first: int, shapes: int, length: int) -> dict[str, npt.NDArray[Any]]:
        """Of the words from `first` on, those of so many shapes of one length."""
        some = slice(first, first + shapes * length)
        return {name: column[some].reshape(shapes, length) for name, column in self._columns.items()}


class _Group:
    """Shapes of one number of words; arrays are shapes x words."""

    def __init__(self, rows: list[int], texts: pl.Series, words: dict[str, npt.NDArray[Any]], needed: int) -> None:
        self.rows, self.texts, self.needed = rows, texts, needed
        self.length = len(self.texts[0])
        self.hashes: Keys = words["hashes"]
        self.pure, self.literal, self.wordy = words["pure"], words["literal"], words["wordy"]
        self.values = words["values"] | words["method"]
        # A request line in quotes may be told by its method, as a sentence is by its verb; four tell of a variable.
        self.quoted: Flags = np.zeros_like(self.values)
        self.quoted[:, 1:] = words["method"][:, 1:] & words["quoting"][:, :-1]
        self.values &= ~self.quoted
        self.values[:, 1:] |= words["before_value"][:, :-1]
        self.wild: Flags = np.zeros(self.hashes.shape, dtype=bool)
        # Two odd numbers for each place, by which a word there is told from the same word elsewhere.
        drawn = pl.int_range(2 * self.length, eager=True).hash(seed=2).to_numpy() | np.uint64(1)
        self.places: Keys = drawn.reshape(2, self.length)

    def find(self, known: Keys) -> Keys:
        """Mark the variable words, `known` being hashes of values found so far; returns the values of this group."""
        value = self.values | np.isin(self.hashes, known)
        weights = np.where(self.pure, self.needed - 1, np.where(value, (self.needed + 1) // 2, 1))
        # Twice the votes, so that quoted methods can have one and a half.
        weights = np.where(self.quoted & ~value, 3, 2 * weights)
        terms = self.hashes * self.places[0]
        for _ in range(_ROUNDS):
            present = np.where(self.wild | self.pure, self.places[1], terms)
            sums = present.sum(axis=1, dtype=np.uint64)
            _, first, inverse = np.unique(sums, return_index=True, return_inverse=True)
            worth = np.where(self.wild, 2 * (self.needed - 1), weights)[first]
            votes = self._votes(present[first], sums[first], worth + _ONE)
            votes[~self._may_go(first)] = 0
            values, votes = np.divmod(votes, _ONE)
            # A statement rarely begins with a variable word: its first word takes twice the evidence.
            values[:, 0], votes[:, 0] = values[:, 0] // 2, votes[:, 0] // 2
            votes[(votes < 2 * self.needed) & self._too_few(values, first)] = 0
            best = votes.shape[1] - 1 - votes[:, ::-1].argmax(axis=1)
            chosen = votes[np.arange(len(votes)), best] > 0
            if not chosen.any():
                break
            grown = np.zeros((len(first), self.length), dtype=bool)
            grown[np.flatnonzero(chosen), best[chosen]] = True
            self.wild |= grown[inverse]
        return np.unique(self.hashes[self.wild & self.literal])

    def sweep(self) -> None:
        """Mark words that vary together with others."""
        free = free_words(
            self.hashes * self.places[0], self.literal & ~self.wild, self.wordy, self.wild | self.pure, self.needed
        )
        self.wild |= free

    def absorb(self) -> None:
        """Shapes that differ from a template of many shapes in its variables only become of it.

        Where several words vary at once, a shape may have no sibling that differs in one of them alone.
        """
        terms = self.hashes * self.places[0]
        masks, mask_of, counts = np.unique(self.wild, axis=0, return_inverse=True, return_counts=True)
        for number in np.argsort(-counts, kind="stable"):
            free = masks[number]
            if counts[number] < self.needed or not free.any():
                continue
            rest = np.where(free, np.uint64(0), terms).sum(axis=1, dtype=np.uint64)
            keys, sizes = np.unique(rest[mask_of == number], return_counts=True)
            joins = np.isin(rest, keys[sizes >= self.needed])
            joins &= (self.wild <= free).all(axis=1) & (self.literal | self.pure | ~free).all(axis=1)
            self.wild[joins] = free

    def templates(self) -> Iterator[tuple[int, str]]:
        """The rows of shapes that change, with their templates."""
        changed = np.flatnonzero(self.wild.any(axis=1))
        for index, text in zip(changed, self.texts.gather(changed).to_list(), strict=True):
            free = self.wild[index]
            words = [WILDCARD if wild else word for word, wild in zip(text, free, strict=True)]
            # A number with a unit that varies is one variable: 384.0 B, 2.1 KB.
            units = [wild and bool(_IS_UNIT.fullmatch(word)) for word, wild in zip(text, free, strict=True)]
            kept = [word for at, word in enumerate(words) if not (units[at] and words[at - 1] == WILDCARD)]
            yield self.rows[index], " ".join(kept).replace(_GLUE + " ", "").replace(" " + _GLUE, "")

    def _may_go(self, first: npt.NDArray[np.intp]) -> Flags:
        """Words that may become variables; a template keeps at least one word with a letter: `<*> <*>` says nothing."""
        spared = (self.wordy & ~self.wild)[first].sum(axis=1)
        flags: Flags = (self.literal & ~self.wild)[first] & ((spared > 1)[:, None] | ~self.wordy[first])
        return flags

    def _too_few(self, values: npt.NDArray[np.int64], first: npt.NDArray[np.intp]) -> Flags:
        """Whether so many values of each shape and word are too few for the words that their shapes share."""
        own = (self.wordy & ~self.wild)[first]
        shared = np.minimum(own.sum(axis=1)[:, None] - own, _MOST_SHARED)
        flags: Flags = values * _WHOLE < self.needed * (_WHOLE - shared)
        return flags

    def _votes(self, present: Keys, sums: Keys, weights: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """For each shape and word: the weight of the distinct shapes that are the same but for that word."""
        votes = np.zeros(present.shape, dtype=np.int64)
        step = max(1, CELLS // len(present))
        for place in range(0, self.length, step):
            some = slice(place, place + step)
            votes[:, some] = _votes_of_places(sums[:, None] - present[:, some], weights[:, some])
        return votes


def _votes_of_places(rest: Keys, weights: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """For each row and column: the weights of the column's rows with an equal `rest`, where there are several."""
    # Groups are numbered through all columns, so that one count serves them all.
    order, group = runs(rest)
    totals = np.bincount(group.ravel(), weights=np.take_along_axis(weights, order, axis=0).ravel()).astype(np.int64)
    several = np.bincount(group.ravel()) > 1
    votes = np.empty(rest.shape, dtype=np.int64)
    np.put_along_axis(votes, order, np.where(several[group], totals[group], 0), axis=0)
    return votes
