#!/usr/bin/env python3
"""Builds the function's zip: the same bytes for the same input, on any machine.

    build.py --output FILE --python-version 3.13 --architecture arm64 --ca-file FILE --dataset FILE …

Prints one line of JSON: path, sha256 (hexadecimal), code_sha256 (base64, as Lambda shows it), size in
bytes, and status: built, or unchanged where the output was built from the same input before.
"""

import argparse
import base64
import hashlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "csv_importer"
DESCRIPTORS = HERE / "descriptors.py"
REQUIREMENTS = HERE / "requirements.txt"
TASK_ROOT = "/var/task"
UV_PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
PIP_PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
# The earliest time that a zip can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)
# Of a distribution's metadata, version and licences are kept; the rest is for installers.
KEPT_METADATA = ("METADATA", "LICENSE", "NOTICE", "COPYING", "AUTHORS")
DROPPED_FOLDERS = {"__pycache__", "bin", "tests", "test"}
DROPPED_SUFFIXES = (".pyi", ".pyc", ".typed", ".lock")
# A web framework and its user interface, half of the zip, which nothing else in Powertools imports.
DROPPED_PACKAGES = {"aws_lambda_powertools/event_handler"}


class BuildError(Exception):
    """The zip cannot be built; the message says why and how to fix it."""


@dataclass(frozen=True, slots=True)
class Target:
    """The runtime that the zip is for.

    Attributes:
        python_version: The runtime's, such as 3.13.
        architecture: arm64 or x86_64.
        ca_file: The CA certificates that the database is checked against, PEM.
        datasets: The descriptors of the datasets, YAML.
    """

    python_version: str
    architecture: str
    ca_file: Path
    datasets: tuple[Path, ...]

    @property
    def takes_bytecode(self) -> bool:
        """Whether this interpreter compiles for the runtime: bytecode is tied to the minor version."""
        return self.python_version == f"{sys.version_info.major}.{sys.version_info.minor}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and report; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the importer's zip for Lambda.")
    parser.add_argument("--output", type=Path, required=True, help="the zip to write")
    parser.add_argument("--python-version", default="3.13", help="the runtime's version (default: %(default)s)")
    parser.add_argument("--architecture", choices=sorted(UV_PLATFORMS), default="arm64", help="default: %(default)s")
    parser.add_argument("--ca-file", type=Path, required=True, help="CA certificates of the database, PEM")
    parser.add_argument(
        "--dataset", type=Path, required=True, action="append", help="a dataset's descriptor, YAML; may be given again"
    )
    options = parser.parse_args(arguments)
    try:
        target = Target(options.python_version, options.architecture, options.ca_file, tuple(options.dataset))
        result = build(options.output, target)
    except BuildError as error:
        sys.stderr.write(f"build.py: {error}\n")
        return 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def build(output: Path, target: Target) -> dict[str, object]:
    """Build the zip, unless it exists already.

    Args:
        output: The zip to write; a digest of its input goes into a file next to it.
        target: The runtime to build for.

    Returns:
        path, sha256, code_sha256, size and status.

    Raises:
        BuildError: Requirements cannot be installed, the file of CA certificates is not PEM, or a descriptor of a
            dataset cannot be used.
    """
    inputs = _digest_of_inputs(target)
    note = output.with_suffix(".inputs")
    known = note.read_text(encoding="ascii").split() if note.is_file() else []
    unchanged = output.is_file() and known == [inputs, _sha256(output).hex()]
    if not unchanged:
        descriptors = _descriptors(target.datasets)
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".build-") as scratch:
            root = Path(scratch) / "root"
            _install(root, target)
            _prune(root)
            shutil.copytree(PACKAGE, root / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "*.typed"))
            shutil.copyfile(target.ca_file, root / PACKAGE.name / "ca.pem")
            (root / PACKAGE.name / "datasets.json").write_text(descriptors, encoding="utf-8")
            if target.takes_bytecode:
                _compile(root)
            made = Path(scratch) / "function.zip"
            _zip(root, made)
            made.replace(output)
        note.write_text(f"{inputs} {_sha256(output).hex()}\n", encoding="ascii")
    digest = _sha256(output)
    return {
        "path": str(output),
        "sha256": digest.hex(),
        "code_sha256": base64.b64encode(digest).decode("ascii"),
        "size": output.stat().st_size,
        "status": "unchanged" if unchanged else "built",
    }


def _digest_of_inputs(target: Target) -> str:
    if b"-----BEGIN CERTIFICATE-----" not in (target.ca_file.read_bytes() if target.ca_file.is_file() else b""):
        raise BuildError(f"{target.ca_file} holds no certificates in PEM: name a file that does with --ca-file")
    interpreter = sys.version if target.takes_bytecode else ""
    digest = hashlib.sha256(f"{target.python_version} {target.architecture} {interpreter}".encode())
    for path in target.datasets:
        if not path.is_file():
            raise BuildError(f"{path} does not exist: name the descriptor of a dataset with --dataset")
    for path in [Path(__file__), DESCRIPTORS, REQUIREMENTS, target.ca_file, *target.datasets, *_files(PACKAGE)]:
        if "__pycache__" not in path.parts:
            digest.update(f"\0{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _descriptors(paths: Sequence[Path]) -> str:
    """Read and check descriptors; return them as JSON, so that the function needs no library for YAML."""
    # Takes as long as everything else where nothing has changed.
    try:
        from descriptors import DescriptorInvalid, load_all  # noqa: PLC0415
    except ImportError as error:
        raise BuildError(f"{error}: install the packages of requirements.txt for {sys.executable}") from error

    try:
        return json.dumps(load_all(paths), ensure_ascii=False, indent=1) + "\n"
    except DescriptorInvalid as error:
        raise BuildError(f"the descriptors of the datasets cannot be used:\n{error}") from error


def _install(root: Path, target: Target) -> None:
    """Install the locked requirements as wheels for the target: nothing is compiled, or run."""
    common = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    place = ["--target", str(root), "--python-version", target.python_version]
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv:
        command = [uv, "pip", "install", "--python-platform", UV_PLATFORMS[target.architecture]]
    else:
        platform = PIP_PLATFORMS[target.architecture]
        command = [sys.executable, "-m", "pip", "install", "--no-compile", "--platform", platform]
        command += ["--implementation", "cp", "--disable-pip-version-check", "--no-warn-conflicts"]
    done = subprocess.run(
        [*command, *common, *place, "--requirement", str(REQUIREMENTS)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise BuildError(f"the requirements in {REQUIREMENTS} cannot be installed:\n{done.stderr.strip()}")


def _prune(root: Path) -> None:
    """Delete what the function never reads."""
    for path in sorted(root.rglob("*"), reverse=True):
        name = path.relative_to(root)
        if path.is_dir():
            if path.name in DROPPED_FOLDERS or name.as_posix() in DROPPED_PACKAGES:
                shutil.rmtree(path)
        elif path.name.endswith(DROPPED_SUFFIXES) or (
            name.parts[0].endswith(".dist-info") and not path.name.startswith(KEPT_METADATA)
        ):
            path.unlink()


def _compile(root: Path) -> None:
    """Compile to bytecode that is never compared with its source: a start in half the time."""
    for path in _files(root):
        if path.suffix == ".py":
            py_compile.compile(
                str(path),
                dfile=f"{TASK_ROOT}/{path.relative_to(root)}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


def _zip(root: Path, output: Path) -> None:
    """Write all files with fixed order, times and modes."""
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(root):
            entry = zipfile.ZipInfo(str(path.relative_to(root)), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted((path for path in folder.rglob("*") if path.is_file()), key=Path.as_posix)


def _sha256(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


if __name__ == "__main__":
    sys.exit(main())
