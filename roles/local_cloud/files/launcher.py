"""Run ministack for one local cloud.

ministack takes its settings from the environment, hands its whole environment on to the functions that it runs, and
publishes the ports of its database containers on every interface of the machine. So this starts it with exactly the
environment of a settings file and has every published port bound to given addresses only.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker.models.containers import ContainerCollection


def bind_published_ports(addresses: Sequence[str]) -> None:
    """Have every container that is created from now on publish its ports on `addresses` only.

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


def main(arguments: Sequence[str]) -> None:
    """Run ministack in the foreground.

    Args:
        arguments: One path: a JSON file with `environment` (an object of strings) and `publish_on` (a list of
            addresses).

    Raises:
        SystemExit: When there is not exactly one argument, or when ministack ends.
    """
    if len(arguments) != 1:
        raise SystemExit("usage: launcher.py SETTINGS.json")
    settings = json.loads(Path(arguments[0]).read_text())
    os.environ.clear()
    os.environ.update(settings["environment"])
    bind_published_ports(settings["publish_on"])
    sys.argv = ["ministack"]
    # Only now, since ministack reads its environment when it is imported.
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
