"""Reads objects that are compressed with gzip (RFC 1952), as their content.

With zlib, which Python has: isal is three times as fast, needs 0.3 megabytes of the zip, and gains little, since a file
is parsed several times more slowly than zlib decompresses it.
"""

import zlib

from csv_importer.errors import FileRefused
from csv_importer.ports import ByteStream

SUFFIX = ".csv.gz"
"""What the key of a compressed object ends in, in upper or lower case."""

MAX_RATIO = 500
"""Bytes of content for each byte, at most. Deflate gives up to 1032. A table of a thousand columns that are nearly all
zero has 340, the same row again and again as much; usual files have 3 to 20."""

FREE_BYTES = 16 * 1024 * 1024
"""Bytes of content that are read whatever the ratio."""

USUAL_RATIO = 8
"""What is assumed of a file before it is read."""

_MAGIC = b"\x1f\x8b\x08"
_FEED_BYTES = 8 * 1024
"""Bytes that are decompressed at once. What follows the end of a member is copied: this bounds how often."""

_SKIP_BYTES = 1 << 20


def is_compressed(key: str) -> bool:
    """Return whether an object is compressed, by its key."""
    return key.lower().endswith(SUFFIX)


class Decompressed:
    """An object's content from some offset of it on: see ports.ByteStream.

    There is no way into the middle of gzip: what is before the offset is decompressed and dropped, at some 400 MB a
    second, with the first read.
    """

    def __init__(self, source: ByteStream, offset: int = 0) -> None:
        """Decompress an object.

        Args:
            source: The object, from its start on.
            offset: Bytes of the content to skip.
        """
        self._source = source
        self._skip = offset
        self._decompressor = _decompressor()
        self._in_member = False
        self._input = b""
        # Whether the decompressor may have more of what it has taken.
        self._has_more = False
        self._consumed = 0
        self._produced = 0

    @property
    def size(self) -> int:
        """The object's size in bytes, compressed."""
        return self._source.size

    def close(self) -> None:
        """Close the connection."""
        self._source.close()

    def read(self, size: int) -> bytes:
        """Read up to size bytes of the content: see ports.ByteStream.

        Raises:
            FileRefused: It is damaged, not complete, not gzip, or grows too much.
        """
        while self._skip and (dropped := len(self._next(min(self._skip, _SKIP_BYTES)))):
            self._skip -= dropped
        return self._next(size)

    def _next(self, size: int) -> bytes:
        """Decompress up to size bytes; none only at the end."""
        while self._in_member or self._begin_member():
            if not self._input and not self._has_more:
                self._check_growth()
                self._input = self._feed()
                if not self._input:
                    raise FileRefused(
                        f"the gzip data ends within its content, after {self._consumed} bytes: it is not complete"
                    )
            data = self._decompress(size)
            if data:
                return data
        self._check_growth()
        return b""

    def _decompress(self, size: int) -> bytes:
        try:
            data = self._decompressor.decompress(self._input, size)
        except zlib.error:
            raise FileRefused(f"the gzip data is damaged, which shows after byte {self._consumed}") from None
        self._in_member = not self._decompressor.eof
        rest = self._decompressor.unconsumed_tail if self._in_member else self._decompressor.unused_data
        self._has_more = self._in_member and len(data) == size
        self._consumed += len(self._input) - len(rest)
        self._input = rest
        self._produced += len(data)
        return data

    def _begin_member(self) -> bool:
        """Begin the next member; return whether there is one."""
        if len(self._input) < len(_MAGIC):
            self._input += self._feed()
        if not self._input and self._consumed:
            return False
        if not self._input.startswith(_MAGIC):
            if self._consumed:
                raise FileRefused(f"what follows the gzip data, from byte {self._consumed} on, is not gzip")
            what = "is not gzip" if self._input else "is empty, which gzip is not"
            raise FileRefused(f"the key ends in {SUFFIX}, and the object {what}")
        self._decompressor = _decompressor()
        self._in_member = True
        return True

    def _feed(self) -> bytes:
        """Read the next bytes of the object: so many, but at its end, however they arrive."""
        data = b""
        while len(data) < _FEED_BYTES and (piece := self._source.read(_FEED_BYTES - len(data))):
            data += piece
        return data

    def _check_growth(self) -> None:
        """Compare the sizes; where all that was fed is decompressed, so that it is always at the same places.

        Raises:
            FileRefused: The content is too large for what it was compressed to.
        """
        if self._produced > max(FREE_BYTES, MAX_RATIO * self._consumed):
            raise FileRefused(
                f"the first {self._consumed} bytes of the gzip data are {self._produced} bytes of content: more than"
                f" {MAX_RATIO} for each, which no table has"
            )


def _decompressor() -> "zlib._Decompress":
    """Begin to decompress a member, with its header and its checksum."""
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
