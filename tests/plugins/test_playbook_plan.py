"""A whole playbook's plan: asked for with the options of the run that asks, and shown alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playbook_runner import run_playbook

SITE = """
- name: Make the note
  hosts: localhost
  gather_facts: false
  roles: [notes]
"""

ROLE = """
- name: Main | Write the note
  ansible.builtin.copy: {content: "{{ text }}", dest: "{{ folder }}/note", mode: "0600"}
  tags: [note]
- name: Main | Write the secret
  ansible.builtin.copy: {content: hunter2, dest: "{{ folder }}/secret", mode: "0600"}
  no_log: true
- name: Main | Break
  ansible.builtin.assert: {that: not broken | default(false), fail_msg: It is broken. Mend it., quiet: true}
"""

PLAN = """
- name: Plan
  hosts: localhost
  gather_facts: false
  tags: [always]
  tasks:
    - name: Ask what a run would do
      csv_to_aurora.aws.playbook_plan: {playbook: "{{ playbook_dir }}/site.yml"}
      register: found
    - name: Show it
      ansible.builtin.set_stats:
        data: {run_summary: {plan: "{{ found.plan }}", exit_code: "{{ 10 if found.differs else 0 }}"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a playbook, its role and its plan."""
    (tmp_path / "roles/notes/tasks").mkdir(parents=True)
    (tmp_path / "roles/notes/tasks/main.yml").write_text(ROLE)
    (tmp_path / "site.yml").write_text(SITE)
    (tmp_path / "plan.yml").write_text(PLAN)
    return tmp_path


def settings(project: Path, **others: object) -> str:
    """Return the extra variables."""
    return "--extra-vars=" + json.dumps({"text": "hello", "folder": str(project), **others})


def test_it_names_what_would_change_and_changes_nothing(project: Path) -> None:
    plan = run_playbook(project / "plan.yml", settings(project))
    assert plan.returncode == 10, plan.stdout + plan.stderr
    lines = plan.stdout.splitlines()
    assert "  notes  would create  Write the note" in lines
    assert "  notes  would create  Write the secret" not in lines
    assert lines[-1] == "Plan: 1 to create, 1 to change, 0 to delete; 0 as they should be."
    assert len([line for line in lines if "as they should be" in line]) == 1
    assert "TASK [" not in plan.stdout
    assert "hunter2" not in plan.stdout + plan.stderr
    assert not (project / "note").exists()


def test_it_ends_with_0_where_nothing_would_change(project: Path) -> None:
    assert run_playbook(project / "site.yml", settings(project)).returncode == 0
    plan = run_playbook(project / "plan.yml", settings(project))
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert plan.stdout.splitlines()[-1] == "Plan: 0 to create, 0 to change, 0 to delete; 2 as they should be."


def test_it_takes_the_options_of_the_run_that_asks(project: Path) -> None:
    plan = run_playbook(project / "plan.yml", settings(project), "--tags=note", "--extra-vars=text=other")
    assert plan.returncode == 10
    assert plan.stdout.splitlines()[-1] == "Plan: 1 to create, 0 to change, 0 to delete; 0 as they should be."


def test_with_v_it_shows_all_that_the_playbook_says(project: Path) -> None:
    plan = run_playbook(project / "plan.yml", settings(project), "-v")
    assert plan.returncode == 10
    assert "TASK [notes : Main | Write the note]" in plan.stdout
    assert "hunter2" not in plan.stdout + plan.stderr


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"broken": True}, "It is broken. Mend it."),
        ({"site": "- name: No playbook\n  hosts: localhost\n  tusks: []\n"}, "'tusks' is not a valid attribute"),
    ],
)
def test_a_failure_is_told_in_the_playbook_s_words_and_is_no_plan(
    project: Path, spoil: dict[str, object], said: str
) -> None:
    if "site" in spoil:
        (project / "site.yml").write_text(str(spoil.pop("site")))
    plan = run_playbook(project / "plan.yml", settings(project, **spoil))
    assert plan.returncode == 2
    assert said in " ".join((plan.stdout + plan.stderr).split())
    assert "Traceback" not in plan.stdout + plan.stderr
    assert "as they should be" not in plan.stdout.replace("0 as they should be; 1 failed", "")
