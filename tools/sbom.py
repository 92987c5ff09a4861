#!/usr/bin/env python3
"""Write what the function's zip consists of, as a CycloneDX 1.6 document.

    tools/sbom.py ZIP OUTPUT.json      # the zip comes from files/lambda/build.py, the packages are its requirements

The same zip and requirements give the same bytes: the document contains no time and no random number.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "files/lambda/requirements.txt"
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

Component = dict[str, Any]


def components(requirements: str) -> Iterator[Component]:
    """Yield the packages of a locked requirements file, each with its hashes.

    Raises:
        ValueError: A package has no hash.
    """
    for block in re.split(r"\n(?=\S)", requirements):
        match = _REQUIREMENT.match(block)
        if not match:
            continue
        name, version = match[1].lower(), match[2]
        hashes = sorted(_HASH.findall(block))
        if not hashes:
            message = f"{name} has no hash in {REQUIREMENTS}. Run: make requirements"
            raise ValueError(message)
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name)}@{version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": f"https://pypi.org/project/{name}/{version}/",
                    "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
                }
            ],
        }


def packed(archive: Path, found: Sequence[Component]) -> list[str]:
    """The packages that the zip has although no requirement names them.

    Raises:
        OSError: When the zip cannot be read.
    """
    known = {re.sub(r"[-_.]+", "_", one["name"]) for one in found} | {"csv_importer"}
    with zipfile.ZipFile(archive) as content:
        tops = {name.split("/")[0] for name in content.namelist()}
    packages = {re.split(r"-\d", top)[0].lower() for top in tops if top.endswith(".dist-info")}
    return sorted(name for name in packages if re.sub(r"[-_.]+", "_", name) not in known)


def bom(archive: Path) -> dict[str, Any]:
    """The document for a function's zip.

    Raises:
        OSError: When the zip or the requirements cannot be read.
        ValueError: When the zip has what the requirements do not have.
    """
    found = sorted(components(REQUIREMENTS.read_text(encoding="utf-8")), key=lambda one: str(one["purl"]))
    if extra := packed(archive, found):
        message = f"{archive} contains {', '.join(extra)}, which {REQUIREMENTS} does not name"
        raise ValueError(message)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "csv-importer",
                "name": "csv-importer",
                "version": digest[:12],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": found,
        "dependencies": [{"ref": "csv-importer", "dependsOn": [one["bom-ref"] for one in found]}],
    }


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, metavar="ZIP")
    parser.add_argument("output", type=Path, metavar="OUTPUT.json")
    options = parser.parse_args(arguments)
    try:
        document = bom(options.archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        print(error, file=sys.stderr)
        return 1
    options.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
