"""The shape of a message: its variable parts replaced by `<*>`; a pure function of the message."""

from __future__ import annotations

import hashlib

import polars as pl

WILDCARD = "<*>"

# Words are told by ASCII letters where that is enough: (?-u:…) costs half as much time.
#: Characters of a message that are looked at; what follows becomes one last parameter. Hardly a message of the public
#: log collections has as many; a stray dump of megabytes must not become a template.
MAX_CHARS = 4096

_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
_DATE = (
    rf"(?:{_DAY},? +)?(?:{_MONTH} +[0-9]{{1,2}}|[0-9]{{1,2}} {_MONTH} [0-9]{{4}}),? +{_CLOCK}"
    r"(?: [A-Z]{3,4})?(?: [0-9]{4}(?-u:\b))?"
)
_ISO = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_CLOCK}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?"
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?-u:\b)"
_URL = r"(?-u:\b)[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>\])},]*[^\s\"'<>\])},.;:]"
_WINDOWS_PATH = r"(?-u:\b)[A-Za-z]:\\[^\s\"',;<>|]*"
# Groups of hex digits such as MAC and IPv6 addresses, and hex words that happen to hold no digit.
_HEX = r"(?-u:\b)[0-9a-fA-F]{1,4}(?::+[0-9a-fA-F]{1,4}){3,}|(?-u:\b)[a-f]{8,}(?-u:\b)"
_HOST_AND_PORT = r"(?-u:[A-Za-z][\w.-]*[0-9][\w.-]*:[0-9]{2,5}\b)"

_EMAIL = r"(?-u:[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b)"
# "<1 sec" beside "02:15": a duration below a bound is one value.
_BOUND = r"[<>]=?[0-9]+(?:\.[0-9]+)? ?(?:us|ms|s|secs?|seconds?|mins?|minutes?|hours?)(?-u:\b)"
# A dotted name and what is in it: com.example.app/.MainActivity, registry.example.com/team/image
_IN_DOTTED = r"(?-u:\b[a-z]\w*(?:\.\w+)+/[\w./$-]*[\w/$])"

# A word ends where prose, key=value, JSON and call syntax end one.
_END = r"\s=,;:()\[\]{}\"'<>|#@%"
# A word has parts between dots and hyphens: `core.2275` and `node-7` keep their name and lose their number.
_SIGN = rf"(?:_-|[^{_END}.\-])"
_NUMBERED = f"(?:{_SIGN}+-+)*{_SIGN}*[0-9]{_SIGN}*"
_TAIL = rf"(?:[.\-]+{_SIGN}+)*"
# Three digits in a row, digits in two places, several numbered parts, or a part that begins with a digit. What is left
# are names such as ssh2, eth0 or jk2_init, which vary only where the file shows that they do (see siblings).
_SURE = (
    rf"(?:(?:{_SIGN}+-+)*(?:{_SIGN}*[0-9]{{3}}{_SIGN}*|{_SIGN}*[0-9][^{_END}.\-0-9]+[0-9]{_SIGN}*)"
    rf"|{_NUMBERED}(?:[.\-]+{_NUMBERED})+|(?:{_SIGN}+-+)*(?:(?-u:\b)[0-9]{_SIGN}*|{_SIGN}*_[0-9]+))"
)
# Short ids such as those of commits: names of so many hex digits that hold one digit or two are rare.
_SHORT_ID = "|".join(
    rf"(?-u:\b){letters}{{{before}}}[0-9]{{{digits}}}{letters}{{{size - before - digits}}}(?-u:\b)"
    for letters in ("[a-f]", "[A-F]")
    for size in (7, 8)
    for digits in (1, 2)
    for before in range(1, size - digits + 1)
)
# A path starts with a slash that follows no letter, or has two slashes, or is a name and an address (host/10.0.0.1).
_STEP = f"[^{_END}/?]*[^{_END}/?.]"
_QUERY = r"(?:[^\s\"'<>\])},]*[^\s\"'<>\])},.;:])?"
_PATH = (
    rf"(?-u:\B)(?:~|\.{{1,2}})?(?:/+{_STEP})+/?(?:\?{_QUERY})?|[^{_END}/]+(?:/{_STEP}){{2,}}/?"
    rf"|[^{_END}/]+/[0-9]+(?:\.[0-9]+){{2,}}"
)
# Names of hosts: three labels of which one ends in a number, or a public ending. A `.net` ending needs three labels,
# or the head of `java.net.Socket` would pass for a host.
_LABEL = "[a-z][a-z0-9-]*"
_NUMBERED_LABEL = (
    "(?:[a-z]{2,}(?:-[a-z]+)*-?[0-9]+(?:-[a-z0-9]+)*|[a-z]+(?:-[a-z0-9]+)*-[a-z]*[0-9][a-z0-9]*(?:-[a-z0-9]+)*)"
)
_HOST = rf"(?-u:\b){_NUMBERED_LABEL}(?:\.{_LABEL}){{2,}}|(?-u:\b)(?:{_LABEL}\.)+{_NUMBERED_LABEL}(?:\.{_LABEL})+"
_PUBLIC_HOST = r"(?-u:[\w-]+(?:\.[\w-]+)*\.(?:com|org|edu|gov)(?:\.[a-z]{2})?\b|[\w-]+(?:\.[\w-]+)+\.net\b)"


def _variable(number: str) -> str:
    word = rf"(?:{_PATH}|{_HOST}|(?:(?-u:\B)[-+])?{number}{_TAIL}|{_PUBLIC_HOST})(?:[:,]+{_NUMBERED}{_TAIL})*"
    # Leftmost match wins, then the first alternative. A `<*>` in the message is itself a variable.
    return "|".join(
        [
            r"<\*>",
            _BOUND,
            _DATE,
            _ISO,
            _UUID,
            _URL,
            _EMAIL,
            _WINDOWS_PATH,
            _HEX,
            _IN_DOTTED,
            _HOST_AND_PORT,
            word,
            _SHORT_ID,
        ]
    )


#: What is masked in every word with a digit, and what is masked where names such as ssh2 stay.
VARIABLE, SURE_VARIABLE = _variable(_NUMBERED), _variable(_SURE)


def shape(message: pl.Expr, *, names: bool = False) -> pl.Expr:
    """The messages with each variable part replaced by `<*>`; `names`: short names with a number in them stay."""
    # Each column of the expression stands in it once: polars would mask twice for a `when` of two branches.
    masked = message.str.head(MAX_CHARS).str.replace_all(SURE_VARIABLE if names else VARIABLE, WILDCARD)
    return masked + pl.when(_is_long(message)).then(pl.lit(WILDCARD)).otherwise(pl.lit(""))


def variables(message: pl.Expr, *, names: bool = False) -> pl.Expr:
    """The parts that `shape` replaced, in order, as lists: one per `<*>` of the shape."""
    found = message.str.head(MAX_CHARS).str.extract_all(SURE_VARIABLE if names else VARIABLE)
    rest = pl.concat_list(message.str.slice(MAX_CHARS))
    return found.list.concat(pl.when(_is_long(message)).then(rest).otherwise(pl.lit([], pl.List(pl.String))))


def template_id(template: str) -> str:
    """The 16 hex digits that name a template wherever it is seen."""
    return hashlib.blake2b(template.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def fill(template: str, parameters: list[str]) -> str:
    """The message: the template with its parameters put back, one per `<*>`."""
    pieces = template.split(WILDCARD)
    return pieces[0] + "".join(value + piece for value, piece in zip(parameters, pieces[1:], strict=True))


def fill_column(frame: pl.DataFrame) -> pl.Series:
    """The messages of `template, parameters`."""
    rows = frame.select("template", "parameters").iter_rows()
    return pl.Series("message", [fill(template, parameters) for template, parameters in rows], dtype=pl.String)


def _is_long(message: pl.Expr) -> pl.Expr:
    return message.str.len_chars() > MAX_CHARS
