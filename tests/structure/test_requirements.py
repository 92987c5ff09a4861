"""requirements.yml names the collections that the project uses, in the versions that requirements.txt installs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ansible
import yaml
from repository import PROJECT, tracked_files

INSTALLED = Path(ansible.__file__).parents[1] / "ansible_collections"
LEFT_OUT = ("requirements.yml", "tests/structure/test_requirements.py")
SUFFIXES = {".cfg", ".py", ".sh", ".yml"}
# The Python packages of ansible-core have such names, too.
IMPORT = re.compile(r"^\s*(?:from|import) .*$", re.MULTILINE)


def installed() -> dict[str, str]:
    """Return the collections of the package ansible, each with its version."""
    found = {}
    for path in INSTALLED.glob("*/*/MANIFEST.json"):
        collection = json.loads(path.read_text(encoding="utf-8"))["collection_info"]
        found[f"{collection['namespace']}.{collection['name']}"] = str(collection["version"])
    return found


def used() -> set[str]:
    """Return the collections of the package ansible of which a file of the project names a plugin."""
    named: set[str] = set()
    for path in tracked_files(PROJECT):
        if path.suffix in SUFFIXES and str(path.relative_to(PROJECT)) not in LEFT_OUT:
            text = IMPORT.sub("", path.read_text(encoding="utf-8"))
            named |= set(re.findall(r"(?<![\w.])([a-z]\w*\.[a-z]\w*)\.[a-z]\w*", text))
    return named & installed().keys()


def required() -> dict[str, str]:
    """Return the collections in requirements.yml, each with its version."""
    content = yaml.safe_load((PROJECT / "requirements.yml").read_text(encoding="utf-8"))
    return {entry["name"]: entry["version"] for entry in content["collections"]}


def test_requirements_name_what_is_used() -> None:
    assert set(required()) == used()


def test_requirements_have_the_versions_that_are_installed() -> None:
    versions = installed()
    assert required() == {name: versions[name] for name in required()}
