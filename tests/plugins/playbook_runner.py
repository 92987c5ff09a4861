"""Run a playbook of a test's own with the project's configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def ansible_command(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible in the project's folder, where its ansible.cfg is, and return what it said."""
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def run_playbook(playbook: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the controller alone; its roles are in the folder C(roles) beside it."""
    return ansible_command(
        "ansible-playbook",
        "--inventory=localhost,",
        "--connection=local",
        str(playbook),
        *arguments,
        ANSIBLE_ROLES_PATH=str(playbook.parent / "roles"),
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        **environment,
    )
