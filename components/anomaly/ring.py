"""The newest rows of a table that grows without end, in memory that does not."""

from __future__ import annotations

import numpy as np

from components.anomaly.panel import FloatArray, TimeArray


class Ring:
    """At most `most` rows of instants and values; the oldest give way."""

    def __init__(self, most: int, columns: int) -> None:
        self.most = most
        # Pages that were never written cost no memory.
        self._times = np.empty(most, dtype=np.int64)
        self._values = np.empty((most, columns))
        self._next = self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes when full."""
        return self._times.nbytes + self._values.nbytes

    def append(self, time_us: int, values: FloatArray) -> None:
        """Take one row, in place of the oldest once full."""
        self._times[self._next], self._values[self._next] = time_us, values
        self._next = (self._next + 1) % len(self._times)
        self._count = min(self._count + 1, len(self._times))

    def extend(self, times: TimeArray, values: FloatArray) -> None:
        """Take many rows, oldest first."""
        for time_us, row in zip(times[-len(self._times) :], values[-len(self._times) :], strict=True):
            self.append(int(time_us), row)

    def newest(self, rows: int, columns: slice = slice(None)) -> FloatArray:
        """The newest rows (at most `rows`, fewer where there are fewer), oldest first: a copy."""
        parts = [self._values[part, columns] for part in self._places(rows)]
        return np.concatenate(parts)

    def row(self, age: int) -> FloatArray:
        """The values of the row so many before the newest."""
        values: FloatArray = self._values[(self._next - 1 - age) % self.most].copy()
        return values

    def times(self, rows: int) -> TimeArray:
        """The instants of `newest`."""
        return np.concatenate([self._times[part] for part in self._places(rows)])

    def replace(self, values: FloatArray, columns: slice) -> None:
        """Put other values in some columns of the newest rows."""
        done = 0
        for part in self._places(len(values)):
            size = part.stop - part.start
            self._values[part, columns] = values[done : done + size]
            done += size

    def _places(self, rows: int) -> list[slice]:
        """Where the newest rows lie: one stretch, or two where they wrap around the end."""
        start = self._next - min(rows, self._count)
        if start >= 0:
            return [slice(start, self._next)]
        return [slice(start + len(self._times), len(self._times)), slice(0, self._next)]
