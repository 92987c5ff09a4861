"""Compressed objects: their content is read as it is, resumed anywhere, and what is no gzip is refused."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.compression import FREE_BYTES, MAX_RATIO, Decompressed, is_compressed
from csv_importer.errors import FileRefused

from .files import MemoryStream
from .test_cost import peak_of, steps_of

CONTENT = b"".join(b"%d,row %d\n" % (number, number * number) for number in range(5000))


class PiecedStream:
    """Bytes that arrive in any pieces."""

    def __init__(self, pieces: Iterator[bytes], size: int = 0) -> None:
        self.size = size
        self.closed = False
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def close(self) -> None:
        self.closed = True


def content(data: bytes, offset: int = 0, size: int = 100_000, piece: int = 1 << 20) -> bytes:
    stream = Decompressed(MemoryStream(data, 0, piece), offset)
    found = []
    while chunk := stream.read(size):
        assert len(chunk) <= size
        found.append(chunk)
    assert stream.read(size) == b""
    return b"".join(found)


def refusal(data: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        content(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "compressed"),
    [
        ("a.csv.gz", True),
        ("A.CSV.GZ", True),
        ("a/b.Csv.gZ", True),
        ("a.csv", False),
        ("a.gz", False),
        ("a.csv.gz/", False),
    ],
)
def test_the_key_says_whether_an_object_is_compressed(key: str, compressed: bool) -> None:
    assert is_compressed(key) is compressed


def test_the_size_is_that_of_the_object() -> None:
    stream = Decompressed(MemoryStream(gzip.compress(CONTENT), 0, 100))
    assert stream.size == len(gzip.compress(CONTENT))
    stream.close()
    source = PiecedStream(iter(()))
    Decompressed(source).close()
    assert source.closed


@settings(max_examples=100, deadline=None)
@given(
    members=st.lists(st.integers(0, len(CONTENT)), max_size=5).map(sorted),
    offset=st.integers(0, len(CONTENT)),
    size=st.integers(1, 70_000),
    piece=st.integers(1, 20_000),
    level=st.integers(0, 9),
)
def test_content_is_the_same_in_any_members_pieces_and_from_any_offset(
    members: list[int], offset: int, size: int, piece: int, level: int
) -> None:
    ends = [0, *members, len(CONTENT)]
    data = b"".join(gzip.compress(CONTENT[start:end], level) for start, end in pairwise(ends))
    assert content(data, offset, max(size, 500), piece) == CONTENT[offset:]


def test_a_header_with_a_name_and_a_comment_is_read() -> None:
    out = io.BytesIO()
    with gzip.GzipFile("name.csv", "wb", fileobj=out) as file:
        file.write(CONTENT)
    assert content(out.getvalue()) == CONTENT


def test_what_is_no_gzip_is_refused_and_named() -> None:
    assert refusal(b"a,b\n1,2\n") == "the key ends in .csv.gz, and the object is not gzip"
    assert refusal(b"\x1f\x8b\x07") == "the key ends in .csv.gz, and the object is not gzip"
    assert refusal(b"") == "the key ends in .csv.gz, and the object is empty, which gzip is not"


@settings(max_examples=60, deadline=None)
@given(left=st.floats(0, 1, exclude_max=True), piece=st.integers(1, 20_000))
def test_what_is_cut_is_refused_wherever_it_is_cut(left: float, piece: int) -> None:
    data = gzip.compress(CONTENT)
    cut = data[: max(int(left * len(data)), 3)]
    with pytest.raises(FileRefused, match=f"the gzip data ends within its content, after {len(cut)} bytes"):
        content(cut, piece=piece)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_damaged_bit_is_found(place: float, bit: int) -> None:
    """In the data and its checksum; in the header, neither time nor system are part of the content."""
    data = bytearray(gzip.compress(CONTENT, mtime=0))
    at = 10 + int(place * (len(data) - 10))
    data[at] ^= 1 << bit
    reason = refusal(bytes(data))
    found = re.fullmatch("the gzip data is damaged, which shows after byte ([0-9]+)", reason)
    assert (found and int(found[1]) < len(data)) or "the gzip data ends within" in reason


def test_what_follows_gzip_is_refused() -> None:
    data = gzip.compress(CONTENT)
    assert refusal(data + b"\0" * 10) == f"what follows the gzip data, from byte {len(data)} on, is not gzip"
    assert "is not gzip" in refusal(data + b"\x1f")
    assert "ends within its content" in refusal(data + data[:10])


def repeated(block: bytes, times: int) -> Iterator[bytes]:
    """Compress the same bytes again and again."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(times):
        yield compressor.compress(block)
    yield compressor.flush()


def consume(stream: Decompressed, size: int = 256 * 1024) -> int:
    found = 0
    while chunk := stream.read(size):
        found += len(chunk)
    return found


def test_a_bomb_is_refused_in_bounded_memory() -> None:
    data = b"".join(repeated(b"0" * (1 << 20), 200))
    for piece in (1000, 1 << 20):
        for size in (5000, 256 * 1024):
            with pytest.raises(FileRefused, match=f"more than {MAX_RATIO} for each") as caught:
                consume(Decompressed(MemoryStream(data, 0, piece)), size)
            # At the same place, however it is read.
            assert str(caught.value).startswith("the first 16384 bytes of the gzip data are ")

    def work() -> None:
        with pytest.raises(FileRefused):
            consume(Decompressed(MemoryStream(data, 0, 1 << 20)))

    assert peak_of(work) < 2**20


def test_small_files_may_grow_as_they_like_and_wide_empty_tables_too() -> None:
    assert consume(Decompressed(MemoryStream(b"".join(repeated(b"0" * FREE_BYTES, 1)), 0, 1000))) == FREE_BYTES
    row = ",0" * 1000
    table = "".join(f"{number}{row}\n" for number in range(20_000)).encode()
    assert len(table) > 2 * FREE_BYTES
    assert consume(Decompressed(MemoryStream(gzip.compress(table, 9), 0, 1 << 20))) == len(table)


def test_members_without_content_cost_a_bounded_number_of_steps() -> None:
    empty = gzip.compress(b"")
    once, twice = (lambda times=times: content(empty * times) for times in (2000, 4000))
    assert steps_of(twice) < 2.1 * steps_of(once) + 1000
    assert steps_of(once) < 10 * len(empty) * 2000
