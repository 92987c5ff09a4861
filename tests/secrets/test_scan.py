"""The scan for secrets in `make lint` finds one, and accepts what is known to be none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def scan(*files: str | Path) -> subprocess.CompletedProcess[str]:
    """Scan files as `make lint` does."""
    return subprocess.run(
        [Path(sys.executable).with_name("detect-secrets-hook"), "--baseline", ".secrets.baseline", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_in_a_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "main.yml"
    # In two parts: this file is scanned too.
    file.write_text("aws_region: eu-west-1\nkey: AKIA" + "Z7QFO3WTKJ2MXB5D\n")
    run = scan(file)
    assert run.returncode == 1
    assert "AWS Access Key" in run.stdout


def test_what_is_known_to_be_none_is_accepted() -> None:
    known = json.loads((ROOT / ".secrets.baseline").read_text(encoding="utf-8"))["results"]
    assert known
    run = scan(*sorted(known))
    assert run.returncode == 0, run.stdout
