"""The ways in which logs write instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_HALF_DAY = "[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
_FRACTION = "(?:[.,][0-9]{1,9})?"


@dataclass(frozen=True)
class TimeFormat:
    """One way to write an instant: its pattern, and how to read it after `.` took the place of `,`.

    `format` is strptime's; empty for Unix times. `prefix` completes what the text leaves out, `{year}` is
    filled in by the reader. `sign` is what must be seen to believe in the format, where it is more than the pattern:
    patterns do not tell digits apart, since they are shown folded lines.
    """

    pattern: str
    format: str
    zoned: bool = False
    prefix: str = ""
    sign: str = ""
    #: What stands before the time and belongs to it, such as the letter of glog's I0102.
    mark: str = ""
    #: The format where the first number is the day, which a number above 12 shows.
    day_first: str = ""

    def read_as(self, times: Sequence[str]) -> TimeFormat:
        """This format, or the one with the day first where the times show that it is meant."""
        if self.day_first and any(int(time.split("/")[0]) > 12 for time in times):
            return replace(self, format=self.day_first)
        return self


#: More specific ones first: the first that most lines of the sample have is taken.
TIME_FORMATS = (
    TimeFormat(
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_FRACTION}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        zoned=True,
    ),
    TimeFormat(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_FRACTION}", "%Y-%m-%dT%H:%M:%S%.f"),
    TimeFormat(
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}{_FRACTION} ?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        zoned=True,
    ),
    # MariaDB fills up the hour with a space.
    TimeFormat(
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} (?:{_CLOCK}| [0-9](?::[0-9]{{2}}){{2}}){_FRACTION}", "%Y-%m-%d %H:%M:%S%.f"
    ),
    TimeFormat(rf"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y/%m/%d %H:%M:%S%.f"),
    TimeFormat(rf"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}-{_CLOCK}{_FRACTION}", "%Y/%m/%d-%H:%M:%S%.f"),
    TimeFormat(rf"[0-9]{{4}}\.[0-9]{{2}}\.[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y.%m.%d %H:%M:%S%.f"),
    TimeFormat(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9]{2}\.[0-9]{2}(?:\.[0-9]+)?", "%Y-%m-%d-%H.%M.%S%.f"),
    TimeFormat(rf"[0-9]{{4}} {_CLOCK}\.[0-9]{{6}}", "%Y%m%d %H:%M:%S%.f", prefix="{year}", mark="[IWEF]"),
    TimeFormat(r"[0-9]{8}-(?:[0-9]{1,2}:){3}[0-9]{1,3}", "%Y%m%d-%H:%M:%S:%3f"),
    TimeFormat(rf"[0-9]{{2}}/{_MONTH}/[0-9]{{4}}:{_CLOCK} [+-][0-9]{{4}}", "%d/%b/%Y:%H:%M:%S %z", zoned=True),
    TimeFormat(rf"{_DAY} {_MONTH} [ 0-9][0-9] {_CLOCK}{_FRACTION} [0-9]{{4}}", "%a %b %e %H:%M:%S%.f %Y"),
    TimeFormat(
        rf"[0-9]{{1,2}} {_MONTH} [0-9]{{4}} {_CLOCK}{_FRACTION} [+-][0-9]{{4}}", "%d %b %Y %H:%M:%S%.f %z", zoned=True
    ),
    TimeFormat(rf"[0-9]{{1,2}} {_MONTH} [0-9]{{4}} {_CLOCK}{_FRACTION}", "%d %b %Y %H:%M:%S%.f"),
    TimeFormat(rf"[0-9]{{1,2}}-{_MONTH}-[0-9]{{4}} {_CLOCK}{_FRACTION}", "%d-%b-%Y %H:%M:%S%.f"),
    TimeFormat(rf"{_MONTH} [0-9]{{1,2}}, [0-9]{{4}} {_HALF_DAY} [AP]M", "%b %d, %Y %I:%M:%S %p"),
    TimeFormat(rf"{_MONTH} [0-9]{{1,2}}, [0-9]{{4}}, {_HALF_DAY}{_FRACTION} [AP]M", "%b %d, %Y, %I:%M:%S%.f %p"),
    TimeFormat(rf"{_MONTH} [ 0-9][0-9] [0-9]{{4}} {_CLOCK}{_FRACTION}", "%b %e %Y %H:%M:%S%.f"),
    TimeFormat(rf"{_MONTH} [ 0-9]?[0-9] {_CLOCK}{_FRACTION}", "%Y %b %e %H:%M:%S%.f", prefix="{year} "),
    TimeFormat(
        rf"[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2}} {_HALF_DAY}:[0-9]{{3}}",
        "%m/%d/%y %H:%M:%S:%3f",
        day_first="%d/%m/%y %H:%M:%S:%3f",
    ),
    TimeFormat(rf"[0-9]{{2}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}", "%y/%m/%d %H:%M:%S"),
    TimeFormat(
        rf"[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}} {_HALF_DAY} [AP]M",
        "%m/%d/%Y %I:%M:%S %p",
        day_first="%d/%m/%Y %I:%M:%S %p",
    ),
    TimeFormat(
        rf"[0-9]{{2}}/[0-9]{{2}}/[0-9]{{4}} {_CLOCK}{_FRACTION}",
        "%m/%d/%Y %H:%M:%S%.f",
        day_first="%d/%m/%Y %H:%M:%S%.f",
    ),
    TimeFormat(rf"[0-9]{{2}}\.[0-9]{{2}}\.[0-9]{{4}} {_CLOCK}{_FRACTION}", "%d.%m.%Y %H:%M:%S%.f"),
    TimeFormat(rf"[0-9]{{2}}\.[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y.%m.%d %H:%M:%S%.f", prefix="{year}."),
    TimeFormat(rf"[0-9]{{8}} {_CLOCK}{_FRACTION}", "%Y%m%d %H:%M:%S%.f"),
    TimeFormat(rf"[0-9]{{2}}-[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y-%m-%d %H:%M:%S%.f", prefix="{year}-"),
    TimeFormat(rf"[0-9]{{8}}-[0-9]{{6}}{_FRACTION}", "%Y%m%d-%H%M%S%.f"),
    TimeFormat(rf"[0-9]{{8}}T[0-9]{{6}}{_FRACTION}", "%Y%m%dT%H%M%S%.f"),
    TimeFormat(r"[0-9]{6} [0-9]{6}", "%y%m%d %H%M%S"),
    TimeFormat(r"[0-9]{1,2}:[0-9]{2}[AP]M", "%Y-%m-%d %I:%M%p", prefix="{year}-01-01 "),
    TimeFormat(rf"{_CLOCK}{_FRACTION}", "%Y-%m-%d %H:%M:%S%.f", prefix="{year}-01-01 "),
    TimeFormat(
        r"[0-9]{10}(?:\.[0-9]{1,9}|[0-9]{3}|[0-9]{6}|[0-9]{9})?",
        "",
        sign=r"1[0-9]{9}(?:\.[0-9]{1,9}|[0-9]{3}|[0-9]{6}|[0-9]{9})?",
    ),
)
