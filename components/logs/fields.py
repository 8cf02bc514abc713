"""The fields that lines name: `key=value` pairs and the members of JSON objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from components.logs.columns import as_series
from components.logs.source import Source

SCHEMA = {"line": pl.Int64, "name": pl.String, "value": pl.String}
# A value is quoted or a list in brackets, or ends where a list of pairs goes on; a name begins a word.
_NAME = r"[A-Za-z_][\w.-]*"
_VALUE = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|\[[^\[\]]*\]|[^\s,;|)}\]]*"
_PAIR = rf"(?:^|[\s,;|({{\[])({_NAME})=({_VALUE})"
_PAIRS = rf"(?:^|[\s,;|({{\[]){_NAME}=(?:{_VALUE})"
_DEPTH = 8


def read_fields(source: Source) -> Iterator[pl.DataFrame]:
    """`line, name, value` of the fields of each line, block by block; a line may name a field more than once.

    A member of an object within an object is called by its path, `a.b`; a list is one value, as JSON.
    """
    start = 0
    for block in source.blocks():
        inside = (
            as_series(block.lines).to_frame("line").select(source.layout.wrapper.inside.str.strip_chars().alias("text"))
        )
        texts = inside.with_row_index("line", start).cast({"line": pl.Int64})
        is_object = pl.col("text").str.starts_with("{") & pl.col("text").str.ends_with("}")
        found = [_members(texts.filter(is_object)), _pairs(texts.filter(~is_object & pl.col("text").str.contains("=")))]
        yield pl.concat(found).sort("line", maintain_order=True)
        start += len(texts)


def _pairs(texts: pl.DataFrame) -> pl.DataFrame:
    pairs = texts.select("line", pl.col("text").str.extract_all(_PAIRS).alias("pair")).explode("pair").drop_nulls()
    parts = pairs.select("line", pl.col("pair").str.extract_groups(_PAIR).alias("part")).unnest("part")
    quoted = pl.col("2").str.len_chars() > 1, pl.col("2").str.head(1).is_in(['"', "'"])
    plain = pl.col("2").str.slice(1, pl.col("2").str.len_chars() - 2).str.replace_all(r'\\(["\\])', "$1")
    value = pl.when(*quoted).then(plain).otherwise(pl.col("2"))
    return parts.select("line", pl.col("1").alias("name"), value.alias("value")).cast(SCHEMA)  # type: ignore[arg-type]


def _members(texts: pl.DataFrame) -> pl.DataFrame:
    rows = [(line, *member) for line, text in texts.iter_rows() for member in _of_object(text)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _of_object(text: str) -> Iterator[tuple[str, str]]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from _flat(record, "", _DEPTH)


def _flat(record: dict[str, Any], before: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, dict) and value and depth > 1:
            yield from _flat(value, f"{before}{name}.", depth - 1)
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield _without_surrogates(f"{before}{name}"), _without_surrogates(text)


def _without_surrogates(text: str) -> str:
    """Half of a pair (a text that was cut) becomes U+FFFD, as broken UTF-8 does."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
