"""Filters: the images of a local cloud, their sources, and digests of the inputs that they and the cloud depend on."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

type Image = Mapping[str, Any]

CLIENT_FILES = ("ca.pem", "ssh/id_ed25519", "ssh/id_ed25519.pub", "aws/credentials", "aws/config")
"""The files that clients of a local cloud use."""
APT_OPTION = re.compile(r"Acquire::(Check-Valid-Until|Check-Date|Retries|https?::Proxy(::[^ ]+)?) ")
"""The options of apt without which an image cannot be built, or its packages not installed."""


def _digest(parts: Iterable[object]) -> str:
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _content(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").rstrip()


def _files(pattern: str) -> list[str]:
    return sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207 # skips hidden files


def apt_configuration(lines: Sequence[str], *, passwords: bool = False) -> str:
    """Return the part of this machine's apt configuration that images need too: proxies, validity, retries.

    Args:
        lines: The output of `apt-config dump`.
        passwords: Keep the user names and passwords of proxies. Not for what becomes part of an image, which others
            than the owner of this configuration can read.
    """
    kept = [line for line in lines if APT_OPTION.match(line)]
    if not passwords:
        kept = [re.sub(r"(?<=://)[^\"]*@", "", line) for line in kept]
    return "".join(f"{line}\n" for line in kept)


def package_bases(images: Sequence[Image], mirror: str, script: str) -> dict[str, str]:
    """Return the base image of each image where it is built from Debian packages, by the image's name.

    The same packages, built in the same way, give the same name: one base image serves every local cloud of a machine.

    Args:
        images: The images.
        mirror: The Debian mirror, or nothing for Debian's own.
        script: The content of the script that builds a base image.
    """
    return {
        image["name"]: f"localhost/local-cloud-base/{image['name']}:"
        + _digest(
            (image["suite"], image["variant"], list(map(str, image["packages"])), image["remove"], mirror, script)
        )[:12]
        for image in images
    }


def image_names(images: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every name of images: with a tag, and with the digest that a registry has for them.

    Args:
        images: What the engine answers about the images; it says null where there are no names.
    """
    return [name for image in images for key in ("RepoTags", "RepoDigests") for name in image.get(key) or ()]


def bases(
    images: Sequence[Image],
    package_based: Mapping[str, str],
    source: str,
    existing: Sequence[str],
    pulls: Sequence[Any],
) -> dict[str, str]:
    """Return the base image of each image, by the image's name.

    Args:
        images: The images.
        package_based: The base images that are built from packages.
        source: The image source: registry, packages, or auto for the registry where it answers.
        existing: The names of the images that exist.
        pulls: The results of the pulls from the registry.
    """
    pulled = {pull["item"]["registry"] for pull in pulls if pull.get("image")}
    return {
        image["name"]: image["registry"]
        if source != "packages" and (image["registry"] in existing or image["registry"] in pulled)
        else package_based[image["name"]]
        for image in images
    }


def image_hashes(
    images: Sequence[Image], base_images: Mapping[str, str], contexts: str, directory: str
) -> dict[str, str]:
    """Return a digest of all inputs of each image, by the image's name.

    Args:
        images: The images.
        base_images: The base image of each.
        contexts: The folder with a build context for each image.
        directory: The folder of this local cloud, with the further inputs of each image.
    """
    return {
        image["name"]: _digest(
            [
                base_images[image["name"]],
                *map(_content, _files(f"{contexts}/{image['name']}/*")),
                *(_content(f"{directory}/{path}") for path in image["inputs"]),
            ]
        )
        for image in images
    }


def digest(values: Sequence[object], patterns: Sequence[str]) -> str:
    """Return a digest of values and of the files that match some patterns; folders may be missing."""
    paths = sorted(path for pattern in patterns for path in _files(pattern))
    return _digest([*values, *map(_content, paths)])


def client_files(directory: str) -> dict[str, str | None]:
    """Return the paths of the files for clients, by their names in the local cloud's folder; null where missing."""
    paths = {name: f"{directory}/{name}" for name in CLIENT_FILES}
    return {name: path if Path(path).is_file() else None for name, path in paths.items()}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "local_cloud_apt_configuration": apt_configuration,
            "local_cloud_bases": bases,
            "local_cloud_client_files": client_files,
            "local_cloud_digest": digest,
            "local_cloud_image_hashes": image_hashes,
            "local_cloud_image_names": image_names,
            "local_cloud_package_bases": package_bases,
        }
