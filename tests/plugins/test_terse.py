"""What people see of a run: what it changes, waits for and has to say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playbook_runner import run_playbook

PLAYBOOK = """
- name: Look only
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Note a fact
      ansible.builtin.set_fact: {note: 1}

- name: Work
  hosts: localhost
  gather_facts: false
  roles: [store]
  tasks:
    - name: Say something
      ansible.builtin.debug: {msg: "{{ ['first', 'second'] | join(newline) }}"}
    - name: Say something else
      ansible.builtin.debug: {var: found}
    - name: Say that something would change
      ansible.builtin.debug: {msg: something}
      changed_when: true
    - name: Be quiet about what is right
      ansible.builtin.assert: {that: true}
    - name: Be proud of what is right
      ansible.builtin.assert: {that: true, success_msg: It works.}
    - name: Wait for what comes late
      ansible.builtin.shell: test -e {{ folder }}/late || { touch {{ folder }}/late; false; }
      register: late
      until: late is success
      retries: 3
      delay: 0
      changed_when: false
    - name: Check each
      ansible.builtin.assert:
        that: item != broken | default(0) | int
        fail_msg: "Number {{ item }} is wrong."
        quiet: true
      loop: [1, 2]
    - name: Refuse
      ansible.builtin.fail: {msg: Not like this. Do it otherwise.}
      when: refuse | default(false) | bool
"""

SPECS = """
argument_specs:
  main:
    options:
      store_name: {type: str, default: shop}
"""

TASKS = """
- name: Main | Look
  ansible.builtin.include_tasks: look.yml
- name: Main | Make the folders
  ansible.builtin.file: {path: "{{ folder }}/{{ item }}", state: directory, mode: "0755"}
  loop: [in, out]
- name: Main | Make one folder
  ansible.builtin.file: {path: "{{ folder }}/one", state: directory, mode: "0755"}
- name: Main | Keep a secret
  ansible.builtin.copy: {content: "{{ item }}", dest: "{{ folder }}/secret", mode: "0600"}
  loop: [hunter2]
  no_log: true
"""

LOOK = """
- name: Look | Look at what is
  ansible.builtin.stat: {path: "{{ folder }}"}
- name: Look | Never do this
  ansible.builtin.command: "false"
  when: false
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a playbook and its role."""
    for name, text in {
        "site.yml": PLAYBOOK,
        "roles/store/meta/argument_specs.yml": SPECS,
        "roles/store/tasks/main.yml": TASKS,
        "roles/store/tasks/look.yml": LOOK,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook."""
    values = f'{{"folder": "{project}", "found": {{"answer": 42}}, "newline": "\\n"}}'
    return run_playbook(project / "site.yml", f"--extra-vars={values}", *arguments)


def shown(output: str) -> list[str]:
    """Return the lines between the beginning and the recap, without banners' stars and empty lines."""
    body = output[: output.index("PLAY RECAP")]
    return [line.rstrip(" *") for line in body.splitlines() if line.strip()]


def test_only_what_changes_waits_and_speaks_is_shown(project: Path) -> None:
    first = run(project)
    assert first.returncode == 0, first.stderr
    assert shown(first.stdout) == [
        "PLAY [Work]",
        "store",
        "  changed: Make the folders: in",
        "  changed: Make the folders: out",
        "  changed: Make one folder",
        "  changed: Keep a secret",
        "first",
        "second",
        "    found:",
        "        answer: 42",
        "something",
        "It works.",
        "  waiting: Wait for what comes late (0 s)",
    ]
    assert "hunter2" not in first.stdout + first.stderr
    assert "\x1b[" not in first.stdout + first.stderr


def test_a_refusal_is_told_in_the_playbook_s_words_alone(project: Path) -> None:
    refused = run(project, "--extra-vars=refuse=true")
    assert refused.returncode == 2
    assert shown(refused.stdout)[-2:] == ["FAILED: Refuse", "Not like this. Do it otherwise."]
    assert "Origin:" not in refused.stdout + refused.stderr


def test_of_a_loop_only_the_item_that_is_wrong_is_told(project: Path) -> None:
    refused = run(project, "--extra-vars=broken=2")
    assert refused.returncode == 2
    assert shown(refused.stdout)[-2:] == ["FAILED: Check each", "Number 2 is wrong."]
    assert "Origin:" not in refused.stdout + refused.stderr


def test_with_v_everything_is_shown(project: Path) -> None:
    full = run(project, "-v")
    assert full.returncode == 0, full.stderr
    for line in (
        "PLAY [Look only]",
        "TASK [store : Validating arguments against arg spec 'main'",
        "TASK [store : Look | Look at what is]",
        "TASK [Be quiet about what is right]",
    ):
        assert line in full.stdout
    assert "hunter2" not in full.stdout + full.stderr
