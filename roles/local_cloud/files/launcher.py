"""Run ministack for one local cloud.

ministack takes its settings from the environment, passes its whole environment and its interpreter to the functions
that it runs, and publishes the ports of its database containers on every interface of the machine. So this starts it
with exactly the environment of a settings file, provides functions with boto3 and no other package, as AWS does, binds
every published port to given addresses only, and authorizes each call on the resources that it names.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import authorization
import strict
from docker.models.containers import ContainerCollection
from packaging.requirements import Requirement


def bind_published_ports(addresses: Sequence[str]) -> None:
    """Publish the ports of every container that is created from now on, on `addresses` only.

    Args:
        addresses: IP addresses of this machine.
    """
    create = ContainerCollection.create

    def create_bound(self: Any, image: Any, command: Any = None, **kwargs: Any) -> Any:
        ports = kwargs.get("ports")
        if ports:
            kwargs["ports"] = {
                port: [(address, published) for address in addresses] for port, published in ports.items()
            }
        return create(self, image, command, **kwargs)

    ContainerCollection.create = create_bound


def distributions(name: str) -> dict[str, Distribution]:
    """Return the distribution `name` and all that it requires, by name.

    Raises:
        importlib.metadata.PackageNotFoundError: When one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    wanted = [name]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = distribution(name)
            requirements = [Requirement(text) for text in found[name].requires or []]
            wanted += [one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def give_functions_boto3_only(folder: Path) -> None:
    """Run functions with this interpreter without its virtual environment, as on AWS.

    A package that a function's zip lacks is then missing here too.

    Args:
        folder: Folder for links to boto3 and what it requires; emptied first.

    Raises:
        OSError: When the links cannot be created.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for one in distributions("boto3").values():
        for top in {file.parts[0] for file in one.files or []} - {".."}:
            link = folder / top
            if not link.exists():
                link.symlink_to(str(one.locate_file(top)))
    os.environ["PYTHONPATH"] = str(folder)
    # ministack starts functions with this: of a virtual environment, the interpreter that it was created with.
    sys.executable = str(Path(sys.executable).resolve())


def main(arguments: Sequence[str]) -> None:
    """Run ministack in the foreground.

    Args:
        arguments: One path: a JSON file with `environment` (an object of strings), `publish_on` (a list of
            addresses), `authorizations` (the file that records each authorization) and `strict` (the settings of the
            strict layer, null without it).

    Raises:
        SystemExit: When there is not exactly one argument, or when ministack ends.
    """
    if len(arguments) != 1:
        raise SystemExit("usage: launcher.py SETTINGS.json")
    settings = json.loads(Path(arguments[0]).read_text())
    os.environ.clear()
    os.environ.update(settings["environment"])
    bind_published_ports(settings["publish_on"])
    give_functions_boto3_only(Path(os.environ["TMPDIR"]) / "function-packages")
    sys.argv = ["ministack"]
    # Only now: ministack reads its environment when it is imported.
    authorization.install(Path(settings["authorizations"]))
    if settings["strict"] is not None:
        strict.install(Path(os.environ["TMPDIR"]) / "strict.jsonl", **settings["strict"])
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
