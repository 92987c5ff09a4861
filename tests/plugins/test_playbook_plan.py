"""The plan of a whole playbook: made with the options of the run that asks for it, and shown alone."""

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
- name: Main | Check each
  ansible.builtin.assert:
    that: item not in broken | default([])
    fail_msg: "Number {{ item }} is wrong. Set it in {{ folder }}/a/../b."
    quiet: true
  loop: [1, 2, 3]
- name: Main | Break
  ansible.builtin.command: "false"
  check_mode: false
  when: fault is defined
- name: Main | Warn
  ansible.builtin.set_fact:
    __notes_read: "{{ lookup('ansible.builtin.file', missing, errors='warn') }}"
  when: missing is defined
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
    lines = [line for line in plan.stdout.splitlines() if line]
    assert lines == [
        "  planning notes",
        "PLAN ***************************************************************************",
        f"  notes  would create  file {project}/note",
        f"  notes  would update  file {project}/secret",
        "Plan: 1 to create, 1 to update, 0 to delete; 0 unchanged.",
    ]
    assert "hunter2" not in plan.stdout + plan.stderr
    assert not (project / "note").exists()


def test_it_ends_with_0_where_nothing_would_change(project: Path) -> None:
    assert run_playbook(project / "site.yml", settings(project)).returncode == 0
    plan = run_playbook(project / "plan.yml", settings(project))
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert plan.stdout.splitlines()[-1] == "Plan: 0 to create, 0 to update, 0 to delete; 2 unchanged."


def test_it_takes_the_options_of_the_run_that_asks(project: Path) -> None:
    plan = run_playbook(project / "plan.yml", settings(project), "--tags=note", "--extra-vars=text=other")
    assert plan.returncode == 10
    assert plan.stdout.splitlines()[-1] == "Plan: 1 to create, 0 to update, 0 to delete; 0 unchanged."


def test_with_v_it_shows_all_that_the_playbook_says(project: Path) -> None:
    plan = run_playbook(project / "plan.yml", settings(project), "-v")
    assert plan.returncode == 10
    assert "TASK [notes : Main | Write the note]" in plan.stdout
    assert "hunter2" not in plan.stdout + plan.stderr


COWSAY = "#!/bin/sh\necho ' _____ '\nfor word in \"$@\"; do echo \"< $word >\"; done\necho ' moo'\n"


CALLBACKS = "ansible.posix.profile_tasks,csv_to_aurora.aws.run_summary"


@pytest.mark.parametrize(
    "shell",
    [
        {"ANSIBLE_CALLBACKS_ENABLED": CALLBACKS, "ANSIBLE_STRATEGY": "free", "TERM": "dumb", "COLUMNS": "20"},
        {"ANSIBLE_FORCE_COLOR": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"},
        {"ANSIBLE_COW_PATH": "{folder}/cowsay", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true"},
    ],
    ids=["callbacks", "colours", "cows"],
)
def test_what_a_shell_has_in_it_does_not_matter(project: Path, shell: dict[str, str]) -> None:
    (project / "cowsay").write_text(COWSAY)
    (project / "cowsay").chmod(0o755)
    given = {name: value.format(folder=project) for name, value in shell.items()}
    plan = run_playbook(project / "plan.yml", settings(project), **given)
    assert plan.returncode == 10, plan.stdout + plan.stderr
    assert "planning notes" in plan.stdout
    assert "Plan: 1 to create, 1 to update, 0 to delete; 0 unchanged." in plan.stdout


def test_without_the_callback_of_plans_the_reason_of_a_failure_is_still_its_own(project: Path) -> None:
    only = "ansible.posix.profile_tasks"
    plan = run_playbook(project / "plan.yml", settings(project, broken=[1]), ANSIBLE_CALLBACKS_ENABLED=only)
    assert plan.returncode == 2
    assert "FAILED: Number 1 is wrong. Set it in" in plan.stdout + plan.stderr
    assert "ended before it began" not in plan.stdout + plan.stderr


@pytest.mark.parametrize(
    ("shell", "instead"),
    [("ANSIBLE_ASK_PASS", "--connection-password-file"), ("ANSIBLE_BECOME_ASK_PASS", "--become-password-file")],
)
def test_a_password_that_is_asked_for_is_refused_at_once(project: Path, shell: str, instead: str) -> None:
    plan = run_playbook(project / "plan.yml", settings(project), **{shell: "true"})
    assert plan.returncode == 2
    assert f"cannot ask for a password. Use {instead} in place of" in " ".join((plan.stdout + plan.stderr).split())


def test_warnings_of_the_playbook_are_shown(project: Path) -> None:
    plan = run_playbook(project / "plan.yml", settings(project, missing="/no/such/file"))
    assert plan.returncode == 10, plan.stdout + plan.stderr
    assert "/no/such/file" in plan.stderr


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            {"broken": [1, 3]},
            "FAILED: Number 1 is wrong. Set it in {folder}/b. Number 3 is wrong. Set it in {folder}/b.",
        ),
        (
            {"fault": True},
            "FAILED: Break: The command exited with a non-zero return code. Run again with -v for the whole answer.",
        ),
        (
            {"site": "- name: No playbook\n  hosts: localhost\n  tusks: []\n"},
            "'tusks' is not a valid attribute",
        ),
    ],
    ids=["loop", "module", "syntax"],
)
def test_a_failure_is_reported_in_the_playbook_s_words_and_is_no_plan(
    project: Path, spoil: dict[str, object], said: str
) -> None:
    if "site" in spoil:
        (project / "site.yml").write_text(str(spoil.pop("site")))
    plan = run_playbook(project / "plan.yml", settings(project, **spoil))
    assert plan.returncode == 2
    assert said.format(folder=project) in " ".join((plan.stdout + plan.stderr).split())
    assert "One or more items failed" not in plan.stdout + plan.stderr
    assert "Traceback" not in plan.stdout + plan.stderr
    assert "PLAN ***" not in plan.stdout
    assert plan.stdout.splitlines()[-1] == "Run: 0 created, 0 updated, 0 deleted; 0 unchanged; 1 failed."
