"""A checkout of the project in another place, with what a test changes in it."""

from __future__ import annotations

import shutil
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
COPIED = ("ansible.cfg", "datasets", "group_vars", "inventories", "playbooks", "roles")
"""What Ansible finds by its place; the rest is linked."""
LINKED = ("collections", "files", "tests", "tools")


def checkout(folder: Path) -> Path:
    """Copy the project to a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(PROJECT / name)
    return folder
