"""Parts of a file, for sessions that each load one."""

import os
from pathlib import Path

CHUNK = 256 * 1024


def part_names(name: str, parts: int) -> list[str]:
    """Return the names of the parts of a file; one part is the file itself."""
    return [name] if parts == 1 else [f"{name}.{number}of{parts}" for number in range(1, parts + 1)]


def split(path: Path, parts: int) -> list[Path]:
    """Write parts of about the same size beside a file, each of whole lines, and with the header.

    Args:
        path: The file: a header, and lines that end with LF.
        parts: How many.

    Returns:
        The parts.
    """
    paths = [path.with_name(name) for name in part_names(path.name, parts)]
    if parts == 1:
        return paths
    with path.open("rb") as whole:
        header, size = whole.readline(), whole.seek(0, os.SEEK_END)
        position = whole.seek(len(header))
        for number, part in enumerate(paths, start=1):
            until = len(header) + (size - len(header)) * number // parts
            with part.open("wb") as file:
                file.write(header)
                while position < until:
                    lines = whole.readlines(min(CHUNK, until - position))
                    file.writelines(lines)
                    position += sum(map(len, lines))
            part.chmod(0o644)
    return paths
