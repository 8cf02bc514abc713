"""The shape of a message: its variable parts replaced by `<*>`; a pure function of the message."""

from __future__ import annotations

import hashlib

import polars as pl

WILDCARD = "<*>"

#: Characters of a message that are looked at; what follows becomes one last parameter. The longest message of
#: the public log collections has under 6,000 characters; a stray dump of megabytes must not become a template.
MAX_CHARS = 8192

_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
_DATE = (
    rf"(?:{_DAY},? +)?(?:{_MONTH} +[0-9]{{1,2}}|[0-9]{{1,2}} {_MONTH} [0-9]{{4}}),? +{_CLOCK}"
    r"(?: [A-Z]{3,4})?(?: [0-9]{4})?"
)
# Groups of hex digits such as MAC and IPv6 addresses, and hex words that happen to hold no digit.
_HEX = r"(?-u:\b)[0-9a-fA-F]{1,4}(?::+[0-9a-fA-F]{1,4}){3,}|(?-u:\b)[a-f]{8,}(?-u:\b)"
# A word ends where prose, key=value, JSON and call syntax end one.
_END = r"\s=,;:()\[\]{}\"'<>|#@"
# Numbers, versions, dates, IPs, UUIDs, block ids, host:port: every word with a digit, and lists of such words.
_DIGITS = f"[^{_END}]*[0-9][^{_END}]*"
_NUMBERS = f"{_DIGITS}(?:[:,]+{_DIGITS})*"
_PATH = f"[^{_END}/]*(?:/[^{_END}/]+){{2,}}/?"
# A `.net` ending needs three labels, or the head of `java.net.Socket` would pass for a host.
_HOST = r"[\w-]+(?:\.[\w-]+)*\.(?:com|org|edu|gov)(?:\.[a-z]{2})?(?-u:\b)|[\w-]+(?:\.[\w-]+)+\.net(?-u:\b)"

#: Leftmost match wins, then the first alternative. A `<*>` in the message is itself a variable.
VARIABLE = "|".join([r"<\*>", _DATE, _HEX, _NUMBERS, _PATH, _HOST])


def shape(message: pl.Expr) -> pl.Expr:
    """The messages with each variable part replaced by `<*>`."""
    masked = message.str.head(MAX_CHARS).str.replace_all(VARIABLE, WILDCARD)
    return pl.when(_is_long(message)).then(masked + WILDCARD).otherwise(masked)


def variables(message: pl.Expr) -> pl.Expr:
    """The parts that `shape` replaced, in order, as lists: one per `<*>` of the shape."""
    found = message.str.head(MAX_CHARS).str.extract_all(VARIABLE)
    return pl.when(_is_long(message)).then(found.list.concat(message.str.slice(MAX_CHARS))).otherwise(found)


def template_id(template: str) -> str:
    """The 16 hex digits that name a template wherever it is seen."""
    return hashlib.blake2b(template.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def fill(template: str, parameters: list[str]) -> str:
    """The message: the template with its parameters put back, one per `<*>`."""
    pieces = template.split(WILDCARD)
    return pieces[0] + "".join(value + piece for value, piece in zip(parameters, pieces[1:], strict=True))


def _is_long(message: pl.Expr) -> pl.Expr:
    return message.str.len_chars() > MAX_CHARS
