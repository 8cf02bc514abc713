"""The parameters of each line: the concrete text behind every `<*>` of its template."""

from __future__ import annotations

import polars as pl

from components.logs.masking import WILDCARD, variables

_LIST = pl.List(pl.String)


def extract_parameters(frame: pl.DataFrame) -> pl.Series:
    """The parameters of each row of `message, template, merged`, as lists of text.

    Where `merged` is false the template is the message's own shape and its variables are the parameters; where
    it is true, words of the shape became variables too, and the template itself is matched against the message.
    """
    numbered = frame.with_row_index("row")
    own = numbered.filter(~pl.col("merged")).select("row", variables(pl.col("message"), names=True).alias("parameters"))
    parts = [own]
    merged = numbered.filter(pl.col("merged"))
    if len(merged):
        for (template,), group in merged.group_by("template"):
            parts.append(group.select("row", _match(str(template)).alias("parameters")))
    return pl.concat(parts).sort("row")["parameters"].cast(_LIST)


def _match(template: str) -> pl.Expr:
    # Shortest first: any split that the whole template allows puts the message together again.
    pieces = [pl.escape_regex(piece) for piece in template.split(WILDCARD)]
    groups = pl.col("message").str.extract_groups("(?s)^" + "(.*?)".join(pieces) + "$")
    return pl.concat_list([groups.struct.field(str(i)) for i in range(1, len(pieces))])
