"""Shapes that differ in spacing or in the length of a list only become one template.

"delete <*>", "delete <*> <*> <*>" and "delete <*> <*>" are one statement that was given lists of several lengths.
"""

from __future__ import annotations

import re

import polars as pl

from components.logs.masking import WILDCARD

_LIST = re.compile(r"<\*>(?:[ ,;|]+<\*>)+")
_WIDE = re.compile(r" {2,}<\*>")
#: One shape more or less of two lengths may be two statements; three lengths of a list are a list.
_LENGTHS = 3


def even_out(shapes: pl.Series) -> pl.Series:
    """The template of each distinct shape, in the order given; a parameter may hold spaces or a whole list."""
    texts: list[str] = shapes.to_list()
    known = set(texts)
    texts = [narrow if (narrow := _WIDE.sub(f" {WILDCARD}", text)) in known else text for text in texts]
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if WILDCARD in text:
            groups.setdefault(_LIST.sub(WILDCARD, _WIDE.sub(f" {WILDCARD}", text)), []).append(row)
    for short, rows in groups.items():
        if len({texts[row].count(WILDCARD) for row in rows}) >= _LENGTHS:
            for row in rows:
                texts[row] = short
    return pl.Series(shapes.name, texts, dtype=pl.String)
