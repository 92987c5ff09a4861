"""Run ministack for one local cloud.

ministack takes its settings from the environment, passes its whole environment and its interpreter to the functions
that it runs, and publishes the ports of its database containers on every interface of the machine. So this starts it
with exactly the environment of a settings file, provides functions with boto3 and no other package, as AWS does, binds
every published port to given addresses only, listens on loopback only, gives instances systemd, refuses what is not
signed, and authorizes each call on the resources that it names.
"""

from __future__ import annotations

import configparser
import ipaddress
import json
import os
import runpy
import shutil
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import authorization
import console
import gate
import machines
import mail
import strict
from docker.models.containers import ContainerCollection
from packaging.requirements import Requirement

CLOSED = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
"""ministack's settings for the addresses and services that it listens on, the same for every local cloud."""


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


def listen_on_loopback_only() -> None:
    """Refuse to listen on any other address of this machine, whatever service of ministack wants to.

    Its MQTT, SFTP and database proxies listen on every interface by default.
    """
    listen = socket.socket.listen

    def listen_on_loopback(self: socket.socket, *arguments: int) -> None:
        address = self.getsockname()
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
            raise PermissionError(f"the local cloud listens on loopback only, not on {address[0]} port {address[1]}")
        listen(self, *arguments)

    socket.socket.listen = listen_on_loopback  # type: ignore[assignment, method-assign]


def root_secret(credentials: Path) -> str:
    """Return the secret access key of the root user.

    Raises:
        KeyError: When the file or its section `root` is missing.
    """
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(credentials)
    return ini["root"]["aws_secret_access_key"]


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
        arguments: One path: a JSON file with `environment` (an object of strings), `root` (the credentials file of the
            root user), `publish_on` (a list of addresses), `authorizations` (the file that records each authorization,
            null where IAM is not enforced) and `strict` (the settings of the strict layer, null without it).

    Raises:
        SystemExit: When there is not exactly one argument, or when ministack ends.
    """
    if len(arguments) != 1:
        raise SystemExit("usage: launcher.py SETTINGS.json")
    settings = json.loads(Path(arguments[0]).read_text())
    os.environ.clear()
    os.environ.update(settings["environment"] | CLOSED)
    secret = root_secret(Path(settings["root"]))
    bind_published_ports(settings["publish_on"])
    listen_on_loopback_only()
    give_functions_boto3_only(Path(os.environ["TMPDIR"]) / "function-packages")
    sys.argv = ["ministack"]
    # Only now: ministack reads its environment when it is imported.
    if settings["authorizations"] is not None:
        os.environ["AUTH"] = "true"
        authorization.install(Path(settings["authorizations"]))
    console.install()
    machines.install()
    mail.install()
    if settings["strict"] is not None:
        strict.install(Path(os.environ["TMPDIR"]) / "strict.jsonl", **settings["strict"])
    # Last: what it refuses is seen by none of the others.
    gate.install(secret)
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
