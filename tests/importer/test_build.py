"""The function's zip: the same bytes for the same input, and everything in it that the function needs."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .files import DATASET_FILE, DESCRIPTOR

LAMBDA = Path(__file__).parents[2] / "files" / "lambda"
CA_FILE = Path(__file__).parents[2] / "files" / "certs" / "rds-ca.pem"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

Build = Callable[..., dict[str, Any]]


def run(output: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(LAMBDA / "build.py"), "--output", str(output), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def build(
    output: Path, architecture: str = "arm64", version: str = VERSION, dataset: Path = DATASET_FILE
) -> dict[str, Any]:
    options = (
        "--ca-file",
        str(CA_FILE),
        "--dataset",
        str(dataset),
        "--architecture",
        architecture,
        "--python-version",
        version,
    )
    done = run(output, *options)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("build") / "function.zip"
    assert build(output)["status"] == "built"
    return output


def test_a_second_build_changes_nothing(built: Path) -> None:
    before = built.stat()
    report = build(built)
    assert report["status"] == "unchanged"
    assert report["size"] == before.st_size
    assert built.stat().st_mtime_ns == before.st_mtime_ns


def test_the_same_input_gives_the_same_bytes_anywhere(built: Path, tmp_path: Path) -> None:
    # All of it is Python: even the architecture makes no difference.
    report = build(tmp_path / "else" / "where.zip", architecture="x86_64")
    assert report["status"] == "built"
    assert (tmp_path / "else" / "where.zip").read_bytes() == built.read_bytes()


def test_a_zip_that_was_tampered_with_is_built_again(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "function.zip"
    expected = build(copy)["sha256"]
    copy.write_bytes(b"not the zip")
    report = build(copy)
    assert (report["status"], report["sha256"]) == ("built", expected)
    assert copy.read_bytes() == built.read_bytes()


def test_it_holds_code_ca_certificates_and_licences_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        assert archive.read("csv_importer/ca.pem") == CA_FILE.read_bytes()
        assert json.loads(archive.read("csv_importer/datasets.json")) == [DESCRIPTOR]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
    assert names == sorted(names)
    assert "csv_importer/handler.py" in names
    assert any("LICENSE" in name and "pymysql" in name for name in names)
    assert not [name for name in names if name.endswith((".so", ".pyi", "RECORD", "py.typed")) or "/tests/" in name]


def test_its_bytecode_is_never_compared_with_its_source(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        sources = {name for name in archive.namelist() if name.endswith(".py")}
        compiled = {
            f"{Path(name).parent.parent / Path(name).name.split('.')[0]}.py": archive.read(name)
            for name in archive.namelist()
            if name.endswith(".pyc")
        }
    assert set(compiled) == sources
    # Flags: by hash, not checked.
    assert {(data[:4], data[4]) for data in compiled.values()} == {(importlib.util.MAGIC_NUMBER, 1)}


def test_for_another_version_of_python_there_is_no_bytecode(tmp_path: Path) -> None:
    build(tmp_path / "function.zip", version="3.12" if VERSION != "3.12" else "3.13")
    with zipfile.ZipFile(tmp_path / "function.zip") as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]


def test_the_handler_starts_with_what_the_zip_and_the_runtime_hold(built: Path, tmp_path: Path) -> None:
    """boto3 is the runtime's; everything else has to come from the zip."""
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path / "task")
    script = (
        "import sys, csv_importer.handler as handler, pymysql, aws_lambda_powertools\n"
        "assert all(module.__file__.startswith(sys.argv[1]) for module in (handler, pymysql, aws_lambda_powertools))\n"
        "assert handler.Settings.of({'SECRET_ID': 's', 'BUCKET_NAME': 'b'}).ca_file.is_file()\n"
        "settings = handler.Settings.of({'SECRET_ID': 's', 'BUCKET_NAME': 'b'})\n"
        "assert len(handler.Datasets.read(settings.datasets_file).all[0].columns) == 6\n"
        "assert 'yaml' not in sys.modules and 'jsonschema' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "task"), "AWS_DEFAULT_REGION": "eu-west-1"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "task")], check=True, env=environment)


@pytest.mark.parametrize("content", [None, "no certificates"])
def test_without_ca_certificates_nothing_is_built(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content, encoding="ascii")
    done = run(tmp_path / "function.zip", "--ca-file", str(path), "--dataset", str(DATASET_FILE))
    assert done.returncode == 1
    assert f"{path} holds no certificates in PEM" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "function.zip").exists()


def test_a_descriptor_that_cannot_be_used_builds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "customer.yaml"
    path.write_text(DATASET_FILE.read_text(encoding="utf-8").replace("email\n", "mail\n"), encoding="utf-8")
    done = run(tmp_path / "function.zip", "--ca-file", str(CA_FILE), "--dataset", str(path))
    assert done.returncode == 1
    assert re.search(rf"{path}:\d+: schema\.fields\[4\]\.format: 'mail' is not supported here; allowed: ", done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "function.zip").exists()


def test_another_descriptor_is_another_zip(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "customer.yaml"
    path.write_text(
        DATASET_FILE.read_text(encoding="utf-8").replace("maxLength: 50", "maxLength: 51"), encoding="utf-8"
    )
    report = build(tmp_path / "function.zip", dataset=path)
    assert report["status"] == "built"
    assert (tmp_path / "function.zip").read_bytes() != built.read_bytes()
