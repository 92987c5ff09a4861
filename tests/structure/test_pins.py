"""Everything that the project downloads is pinned and verified, and each check finds what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import PROJECT, tracked_files

# Files whose lines are run: text in documents may show what people do with their own files.
RUN = {"", ".cfg", ".j2", ".py", ".registry", ".packages", ".sh", ".toml", ".yml"}
# They hold the patterns, and what breaks them.
NO_DOWNLOADS = ("tests/structure/test_pins.py", "tests/structure/test_rules.py")

UNVERIFIED = re.compile(
    r"\b(?:curl|wget|npx|uvx|pipx|easy_install)\s+\S"
    r"|\bnpm\s+(?:install|i|exec)\b|[\"']npm[\"']"
    r"|\bansible-galaxy\s+(?:collection|role)?\s*install\b"
    r"|\bgit\s+clone\b|\bgit\+https?:|\buv\s+(?:tool|run)\b|\bpip\s+download\b"
    r"|\bget_url:|\burlretrieve\b|\bansible\.builtin\.pip:"
)
"""Programs and modules that fetch code or data and verify nothing by themselves."""
APT_UNVERIFIED = re.compile(
    r"trusted\s*=\s*yes|--allow-unauthenticated|allow_unauthenticated|AllowUnauthenticated|--force-yes"
    r"|Allow(?:Insecure|Weak|DowngradeToInsecure)Repositories|allow-insecure|Verify-Peer|--no-check-gpg|SKIP_GPG"
    r"|Check-Valid-Until[\s\"'=]+(?:false|no|0)\b",
    re.IGNORECASE,
)
"""What switches off apt's check of signatures, or of their age."""
# Where one is named without effect on what is installed; each with its reason.
APT_EXCEPTIONS: dict[str, str] = {
    "tests/filters/test_local_cloud_filters.py": "the apt configuration of a machine, as input of a filter",
}
PIP_INSTALL = re.compile(r"\bpip3?[\"',]*\s+[\"']?install\b")
# Where the option --require-hashes is not in the same line; each with its reason.
HASHED_ELSEWHERE: dict[str, str] = {
    "files/lambda/build.py": "the options that uv and pip have in common are in a list of their own",
}
ACTION = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+(?:\.\d+)+")
IMAGE = re.compile(r"[\w.-]+\.[\w.-]+(?::\d+)?/[\w./-]+@sha256:[0-9a-f]{64}")
LOCKED = re.compile(r"[\w.-]+(?:\[[\w,-]+\])?==[\w.+!-]+(?: ; [^;#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+\s*")


def violations(path: str, text: str) -> Iterator[str]:
    """Yield the lines of a file that download what is not pinned or not verified."""
    for line in text.splitlines():
        hashed = "--require-hashes" in (text if path in HASHED_ELSEWHERE else line)
        if UNVERIFIED.search(line) or (PIP_INSTALL.search(line) and not hashed):
            yield f"{path}: {line.strip()}"
        if APT_UNVERIFIED.search(line) and path not in APT_EXCEPTIONS:
            yield f"{path}: {line.strip()}"
        used = re.match(r"\s*(?:- )?uses:\s*(.*)", line)
        if used and path.startswith(".github/") and not ACTION.fullmatch(used[1]):
            yield f"{path}: {line.strip()}"
        base = re.match(r"FROM\s+(\S+)", line)
        if base and base[1] != "${BASE}" and not IMAGE.fullmatch(base[1]):
            yield f"{path}: {line.strip()}"


def unlocked(text: str) -> Iterator[str]:
    """Yield the lines of a compiled file that are no requirement with an exact version and hashes."""
    for line in re.sub(r"(?m)^ *#.*\n|\\\n", "", text).splitlines():
        if not LOCKED.fullmatch(line):
            yield line


def compiled() -> list[Path]:
    """Return the files that say which Python packages are wanted."""
    return [path for path in tracked_files(PROJECT) if path.suffix == ".in" and path.name.startswith("requirements")]


def test_what_is_downloaded_is_pinned_and_verified() -> None:
    found: list[str] = []
    for path in tracked_files(PROJECT):
        name = str(path.relative_to(PROJECT))
        if path.suffix in RUN and name not in NO_DOWNLOADS:
            found += violations(name, path.read_text(encoding="utf-8"))
    assert found == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("Makefile", "\tuv pip install --quiet prowler"),
        ("files/lambda/build.py", '    command = [sys.executable, "-m", "pip", "install"]'),
        ("tools/x.sh", "python3 -m pip install pip-audit==2.10.1"),
        ("tools/x.sh", "curl -fsSL https://example.com/install.sh | sh"),
        ("tools/x.py", '    subprocess.run(["npm", "install", PACKAGE])'),
        ("tools/x.sh", "ansible-galaxy collection install amazon.aws"),
        ("roles/x/tasks/main.yml", "  ansible.builtin.get_url:"),
        ("roles/x/files/build.sh", "echo 'deb [trusted=yes] http://example.com/debian sid main'"),
        ("roles/x/files/build.sh", "apt-get install --allow-unauthenticated mysql-server"),
        ("roles/x/files/build.sh", "echo 'Acquire::Check-Valid-Until \"false\";'"),
        (".github/workflows/x.yml", "      - uses: actions/checkout@v6"),
        (".github/workflows/x.yml", "      - uses: actions/checkout@main # v6.0.2"),
        (".github/workflows/x.yml", f"      - uses: actions/checkout@{'a' * 40}"),
        ("roles/x/files/Containerfile.registry", "FROM docker.io/library/debian:13"),
    ],
)
def test_a_download_that_is_not_is_found(path: str, line: str) -> None:
    assert list(violations(path, f"first\n{line}\n")) == [f"{path}: {line.strip()}"]


@pytest.mark.parametrize("path", [*HASHED_ELSEWHERE, *APT_EXCEPTIONS])
def test_an_exception_of_nothing_is_found(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(HASHED_ELSEWHERE if path in HASHED_ELSEWHERE else APT_EXCEPTIONS, path)
    assert list(violations(path, (PROJECT / path).read_text(encoding="utf-8"))) != []


def test_the_images_of_the_local_cloud_are_pulled_by_digest() -> None:
    content: dict[str, Any] = yaml.safe_load((PROJECT / "roles/local_cloud/vars/main.yml").read_text(encoding="utf-8"))
    names = [image["registry"] for image in content["__local_cloud_images"]]
    assert [name for name in names if not IMAGE.fullmatch(name)] == []
    assert len(names) == 2
    assert not IMAGE.fullmatch("docker.io/library/mysql:8.0")


@pytest.mark.parametrize("path", compiled(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_each_file_of_requirements_is_locked_compiled_and_updated(path: Path) -> None:
    name = path.relative_to(PROJECT)
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert list(unlocked(text)) == []
    command = f"--no-emit-index-url {name} -o {name.with_suffix('.txt')}"
    assert command in text.splitlines()[1]
    assert command in (PROJECT / "Makefile").read_text(encoding="utf-8")
    updates = yaml.safe_load((PROJECT / ".github/dependabot.yml").read_text(encoding="utf-8"))["updates"]
    folders = [update["directory"] for update in updates if update["package-ecosystem"] == "uv"]
    assert f"/{name.parent}".rstrip(".") in folders


@pytest.mark.parametrize(
    "text",
    [
        "prowler==5.46.0\n    # via -r x.in\n",
        f"prowler>=5 \\\n    --hash=sha256:{'0' * 64}\n",
        "prowler @ git+https://example.com/prowler\n",
        "-i https://example.com/simple\n",
    ],
)
def test_a_requirement_that_is_not_locked_is_found(text: str) -> None:
    hashes = "".join(f" \\\n    --hash=sha256:{digit * 64}" for digit in "12")
    good = f"boto3[crt]==1.2 ; python_version > '3'{hashes}\n    # via x\n"
    assert list(unlocked(good)) == []
    assert list(unlocked(good + text)) != []
