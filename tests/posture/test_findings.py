"""How `make scan` judges the scanner's findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import scan

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "STATUS;CHECK_ID;SEVERITY;RESOURCE_UID\n"
HOLDS = "PASS;ec2_ebs_volume_encryption;high;vol-1\n"


def judged(folder: Path, lines: str) -> int:
    file = folder / "findings.csv"
    file.write_text(HEADER + lines)
    return scan.main([str(file)])


def test_a_finding_without_a_reason_is_shown_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, HOLDS + "FAIL;rds_instance_no_public_access;critical;db-1\n") == 1
    assert "critical  rds_instance_no_public_access  db-1" in capsys.readouterr().out


def test_a_finding_with_a_reason_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(tmp_path, HOLDS + "FAIL;iam_password_policy_symbol;medium;policy\n") == 0
    assert "1 findings, 0 without a reason" in capsys.readouterr().out


def test_a_scan_that_saw_nothing_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make local"):
        judged(tmp_path, "")
