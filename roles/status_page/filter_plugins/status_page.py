"""Filters: what the host has of the status page, and the application as one archive."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

PACKAGE = "status_page"


def found(lines: Sequence[str]) -> dict[str, Any]:
    """Return what the host has, by what tasks/gather.yml prints.

    Args:
        lines: Each a word that says what it is about, and what follows.

    Returns:
        `installed` (packages), `files` (by path: mode, owner and group, SHA-256), `directories` (the same without the
        last), `links` (paths), `users` (by name), `units` (by name) and `systemd`.
    """
    state: dict[str, Any] = {
        "installed": [],
        "files": {},
        "directories": {},
        "links": [],
        "users": {},
        "units": {},
        "systemd": False,
    }
    for line in lines:
        what, _, rest = line.partition(" ")
        if what == "installed":
            state["installed"].append(rest)
        elif what == "file":
            mode, owner, digest, path = rest.split(None, 3)
            state["files"][path] = f"{mode} {owner} {digest}"
        elif what == "directory":
            mode, owner, path = rest.split(None, 2)
            state["directories"][path] = f"{mode} {owner}"
        elif what == "link":
            state["links"].append(rest)
        elif what == "user":
            name, _, _, _, _, home, shell = rest.split(":")
            state["users"][name] = {"home": home, "shell": shell}
        elif what == "unit":
            # A unit of systemd, since when it is in its state, and when what it runs was changed last; in seconds.
            name, enabled, active, since, changed = rest.split()
            if enabled != "not-found":
                state["units"][name] = {
                    "enabled": enabled == "enabled",
                    "active": active == "active",
                    "fresh": float(since) >= float(changed),
                }
        elif what == "systemd":
            state["systemd"] = True
    return state


def _files(source: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the application, each with its path in the folder `source`."""
    for path in sorted(Path(source, PACKAGE).rglob("*")):
        name = path.relative_to(source)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts):
            yield name.as_posix(), path.read_bytes()


def code(source: str, directory: str) -> dict[str, str]:
    """Return the files that the host is to have, in the form of `found`.

    Args:
        source: The folder of the project with the application.
        directory: The folder of the host.

    Raises:
        ValueError: There is no application.
    """
    files = {f"{directory}/{name}": f"0644 root:root {sha256(content).hexdigest()}" for name, content in _files(source)}
    if not files:
        raise ValueError(f"There is no application in {source}/{PACKAGE}: status_page_source names another folder.")
    return files


def archive(source: str) -> str:
    """Return the application as a compressed tar archive in Base64, the same for the same files."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, content in _files(source):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return base64.b64encode(buffer.getvalue()).decode()


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"status_page_archive": archive, "status_page_code": code, "status_page_found": found}
