"""Decides whether a file is in the encoding that its descriptor states, and guesses in which it is where it is not."""

import unicodedata
from collections.abc import Iterator
from itertools import islice

from csv_importer.dialects import ENCODINGS, UTF8, Encoding
from csv_importer.errors import FileRefused

FEW_LINES = 3
"""Lines in another encoding, at least, for which a file is refused: less may be damage, and costs those rows only."""

_CANDIDATES = ("windows-1252", "windows-1250", "windows-1251", "KOI8-R", "macintosh", "IBM850")
_MOST_CHARACTERS = 5000


def check_encoding(sample: bytes, encoding: Encoding, *, is_cut: bool) -> None:
    """Check the start of a file.

    Only lines with other bytes than those of ASCII count. The file is in another encoding where most of these lines,
    and no fewer than FEW_LINES, are not of the stated one; or where the stated one is not UTF-8 and most of them are
    UTF-8, which is hardly ever chance: stored as stated, they would be wrong without an error.

    Args:
        sample: The start of the file, of a size that does not depend on how the file is read.
        encoding: The encoding.
        is_cut: Whether the file has more, so that the last line may not be whole.

    Raises:
        FileRefused: The file is in another encoding; the message says in which, probably.
    """
    if sample.isascii() or (encoding.is_utf8 and _is(encoding, sample)):
        return
    lines = sample.splitlines()
    if is_cut and len(lines) > 1:
        lines.pop()
    lines = [line for line in lines if not line.isascii()]
    wrong = sum(not _is(encoding, line) for line in lines)
    if wrong >= FEW_LINES and 2 * wrong > len(lines):
        raise FileRefused(
            f"the file is not {encoding.name}: {wrong} of the {len(lines)} lines with other characters than ASCII in"
            f" its first {len(sample)} bytes are not. It looks like {guess(sample)} (encoding)"
        )
    if not encoding.is_utf8:
        better = sum(_is(UTF8, line) for line in lines)
        if 2 * better > len(lines):
            raise FileRefused(
                f"the file is not {encoding.name}: {better} of the {len(lines)} lines with other characters than"
                f" ASCII in its first {len(sample)} bytes are UTF-8 (encoding)"
            )


def guess(sample: bytes) -> str:
    """Guess in which encoding a text is, as a phrase for messages."""
    nuls = sample.count(0)
    if nuls:
        even = sample[::2].count(0)
        if 4 * nuls > len(sample) and 9 * min(even, nuls - even) < nuls:
            return f"UTF-16 without a byte order mark, {'big' if 2 * even > nuls else 'little'} endian"
        return "binary, or UTF-16 without a byte order mark"
    if _is(UTF8, sample):
        return UTF8.name
    found = {name: _plausibility(ENCODINGS[name], sample) for name in _CANDIDATES}
    best = max(found, key=lambda name: found[name])
    if best == "windows-1252" and not any(0x80 <= byte < 0xA0 for byte in sample):
        return "windows-1252 or ISO-8859-1"
    return best


def _is(encoding: Encoding, data: bytes) -> bool:
    try:
        encoding.decode_strictly(data)
    except UnicodeDecodeError:
        return False
    return True


def _plausibility(encoding: Encoding, sample: bytes) -> int:
    """Rate the characters beyond ASCII: letters that fit to those around them count for an encoding, others against."""
    text = f" {encoding.decode(sample)} "
    score = 0
    for at in islice(_places(text), _MOST_CHARACTERS):
        before, character, after = text[at - 1], text[at], text[at + 1]
        if not character.isalpha():
            score -= 3 * (before.isalpha() and after.isalpha())
        elif (before.isalpha() and _script(before) != _script(character)) or (character.isupper() and before.islower()):
            score -= 2
        else:
            score += before.isalpha() or after.isalpha()
    return score


def _places(text: str) -> Iterator[int]:
    return (at for at, character in enumerate(text) if not character.isascii())


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]
