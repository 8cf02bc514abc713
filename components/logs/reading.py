"""Log files as blocks of lines: plain, gzip or zstandard, UTF-8 or UTF-16, whatever the bytes."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.core.errors import InputError
from components.logs.columns import split, split_pieces

#: Bytes of one block; large enough to keep the vectorized kernels at full speed, small enough that a few
#: blocks and their columns stay far below a gigabyte.
BLOCK_BYTES = 16 << 20
#: Bytes that are read at once, and in which the end of a line is sought.
PIECE_BYTES, _TAIL = 1 << 20, 1 << 14

COMPRESSIONS = (".gz", ".zst")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def plain_suffix(path: Path) -> str:
    """The file's suffix below its compression: `.csv` of `a.csv.gz`."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() in COMPRESSIONS else path.suffix.lower()


def read_lines(path: Path, size: int | None = None) -> Iterator[pa.LargeStringArray]:
    """Yield blocks of lines; a line ends at a newline, a carriage return before it is dropped.

    size: bytes of the stored file to read; the file may have grown past them since they were counted.
    Bytes that are not UTF-8 become U+FFFD; every line is kept, however long. InputError where the file is
    absent, empty, or its compressed content is truncated or damaged.
    """
    found = 0
    for lines in split_pieces(_whole_lines(as_utf8(read_bytes(path, size))), BLOCK_BYTES):
        found += len(lines)
        yield lines
    if not found:
        raise InputError(f"{path}: the file is empty but for a byte-order mark; it needs at least one line")


def read_part(path: Path, start: int, size: int) -> pa.LargeStringArray:
    """The whole lines within `size` bytes from `start` on; none where a line is longer."""
    with path.open("rb") as stream:
        stream.seek(start)
        block = stream.read(size)
    begin = block.find(b"\n") + 1 if start else len(codecs.BOM_UTF8) * block.startswith(codecs.BOM_UTF8)
    return split(block[begin : block.rfind(b"\n") + 1])


def is_utf16(path: Path) -> bool:
    """Whether the stored file begins as UTF-16 does."""
    with path.open("rb") as stream:
        return _utf16(stream.read(4096)) is not None


def read_block(path: Path, start: int, end: int) -> pa.LargeStringArray:
    """The lines of the bytes from `start` to `end`, which are whole lines."""
    with path.open("rb") as stream:
        stream.seek(start)
        return split(stream.read(end - start).removeprefix(codecs.BOM_UTF8 if start == 0 else b""))


def read_bytes(path: Path, size: int | None = None) -> Iterator[bytes]:
    """Yield the decompressed content in pieces, as far as the stored file reaches or `size` says."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; it needs at least one line")
    pieces = _decompressed(path, path.stat().st_size if size is None else size)
    empty = True
    for piece in pieces:
        empty = empty and not piece
        yield piece
    if empty:
        raise InputError(f"{path}: the file is empty once decompressed; it needs at least one line")


def _decompressed(path: Path, size: int) -> Iterator[bytes]:
    try:
        match path.suffix.lower():
            case ".gz":
                with gzip.open(path) as stream:
                    while piece := stream.read(PIECE_BYTES):
                        yield piece
            case ".zst":
                yield from _unzstd(_stored(path, size), path)
            case _:
                yield from _stored(path, size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from None


def _stored(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as stream:
        left = size
        while left > 0 and (piece := stream.read(_to_line_end(stream, min(PIECE_BYTES, left)))):
            left -= len(piece)
            yield piece


def _to_line_end(stream: io.FileIO, size: int) -> int:
    """At most so many bytes, as many as end a line where one ends near: such a piece is used without a copy."""
    at = stream.tell()
    stream.seek(at + max(0, size - _TAIL))
    cut = stream.read(min(_TAIL, size)).rfind(b"\n") + 1
    stream.seek(at)
    return max(0, size - _TAIL) + cut if cut else size


def _unzstd(pieces: Iterable[bytes], path: Path) -> Iterator[bytes]:
    import zstandard

    frame = None
    for piece in pieces:
        while piece:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            try:
                content = frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise _damaged(path, error) from None
            yield content
            piece, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise _damaged(path, "it ends within a frame")


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(f"{path}: the compressed content is truncated or damaged ({reason}); copy the file again")


def as_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same text without a byte-order mark; UTF-16 becomes UTF-8, and other bytes stay as they are."""
    first = b""
    for piece in pieces:
        first += piece
        if len(first) >= 64:
            break
    encoding = _utf16(first)
    if encoding is None:
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    yield decoder.decode(first).removeprefix("\ufeff").encode("utf-8", "replace")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _utf16(start: bytes) -> str | None:
    if start[:2] in _UTF16:
        return _UTF16[start[:2]]
    # Without a byte-order mark: Latin text in UTF-16 has a NUL in every second place and none in the others.
    sample = np.frombuffer(start[: len(start[:4096]) // 2 * 2], dtype=np.uint8)
    if len(sample) < 16:
        return None
    even, odd = (sample[0::2] == 0).mean(), (sample[1::2] == 0).mean()
    if odd > 0.7 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 and odd < 0.1 else None


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that end where a line ends; the last one may lack its newline."""
    held: list[bytes | memoryview] = []
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut == len(piece) and not held:
            yield piece
        elif cut:
            yield b"".join([*held, memoryview(piece)[:cut]])
            held = [piece[cut:]] if cut < len(piece) else []
        elif piece:
            held.append(piece)
    if held:
        yield b"".join(held)
