"""What a run prints: changes, waits and messages."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook_runner import PROJECT, run_playbook

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.task_results import duration, tidy

PLAYBOOK = """
- name: Look only
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Note a fact
      ansible.builtin.set_fact: {note: 1}

- name: Plan
  hosts: localhost
  gather_facts: false
  check_mode: true
  roles: [store]

- name: Work
  hosts: localhost
  gather_facts: false
  roles: [quiet, store]
  tasks:
    - name: Say something
      ansible.builtin.debug: {msg: "{{ ['first', 'second'] | join(newline) }}"}
    - name: Say something else
      ansible.builtin.debug: {var: found}
    - name: Say that something would change
      ansible.builtin.debug: {msg: "see {{ folder }}/in/../out"}
      changed_when: true
    - name: Be quiet about what is right
      ansible.builtin.assert: {that: true}
    - name: Be proud of what is right
      ansible.builtin.assert: {that: true, success_msg: It works.}
    - name: Remove the note
      ansible.builtin.file: {path: "{{ folder }}/note", state: absent}
    - name: Wait for what comes late
      ansible.builtin.shell: test -e {{ folder }}/late || { touch {{ folder }}/late; false; }
      register: late
      until: late is success
      retries: 3
      delay: 0
      changed_when: false

- name: Nobody
  hosts: nobody
  gather_facts: false
  tasks:
    - name: Never do this
      ansible.builtin.fail:
"""

SPECS = """
argument_specs:
  main:
    options:
      store_name: {type: str, default: shop, choices: [shop, stall]}
"""

TASKS = """
- name: Main | Look
  ansible.builtin.include_tasks: look.yml
- name: Main | Create or update the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: data
    current: {}
    desired: {versioning: true}
    apply: {ansible.builtin.command: {_raw_params: sleep 1.2}}
- name: Main | Create or update the rule
  csv_to_aurora.aws.resource: {kind: rule, name: old, current: {days: 1}, desired: {days: 1}}
- name: Main | Tag the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: data
    current: {versioning: true}
    desired: {tags: {Project: shop}}
    apply: {ansible.builtin.command: {_raw_params: "true"}}
- name: Main | Create the folders
  ansible.builtin.file: {path: "{{ folder }}/upper/../{{ item }}", state: directory, mode: "0755"}
  loop: [in, out]
- name: Main | Write the settings
  ansible.builtin.copy: {content: hello, dest: "{{ folder }}/in/settings", mode: "0600"}
- name: Main | Write the settings again
  ansible.builtin.copy: {content: "{{ 'hello again' }}", dest: "{{ folder }}/in/settings", mode: "0600"}
- name: Main | Keep a secret
  ansible.builtin.copy: {content: "{{ item }}", dest: "{{ folder }}/secret", mode: "0600"}
  loop: [hunter2]
  no_log: true
- name: Main | Create a temporary folder
  ansible.builtin.tempfile: {state: directory, path: "{{ folder }}"}
  register: __store_temporary
- name: Main | Use the temporary folder
  ansible.builtin.copy: {content: hello, dest: "{{ __store_temporary.path }}/file", mode: "0600"}
  when: __store_temporary.path is defined
- name: Main | Remove the temporary folder
  ansible.builtin.file: {path: "{{ __store_temporary.path }}", state: absent}
  when: __store_temporary.path is defined
- name: Main | Remove what is recreated
  ansible.builtin.file: {path: "{{ folder }}/again", state: absent}
- name: Main | Recreate it
  ansible.builtin.copy: {content: new, dest: "{{ folder }}/again", mode: "0600"}
"""

LOOK = """
- name: Look | Look at what is
  ansible.builtin.stat: {path: "{{ folder }}"}
- name: Look | Never do this
  ansible.builtin.command: "false"
  when: false
"""

QUIET = """
- name: Main | Compute
  ansible.builtin.set_fact: {__quiet_fact: 1}
"""

RUN = """PLAY [Work]
store
  created  directory {folder}/in
  created  directory {folder}/out
  created  file {folder}/in/settings
  updated  file {folder}/secret
  deleted  file {folder}/again
  replaced file {folder}/again
first
second
    found:
        answer: 42
see {folder}/out
It works.
Work
  deleted  file {folder}/note
  waiting for what comes late
Run: 4 created, 1 updated, 1 replaced, 1 deleted; 1 unchanged."""

FAILING = """
- name: Work
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.include_role: {name: failing}
"""

ELSEWHERE = """
DOCUMENTATION = '''
name: elsewhere
short_description: This machine, as another one
description: That.
options:
  pipelining: {description: That., type: bool, default: false, vars: [{name: ansible_pipelining}]}
'''
from ansible.plugins.connection.local import Connection as Local

class Connection(Local):
    transport = "elsewhere"
"""

HOSTS = """
- name: Configure
  hosts: "{{ chosen }}"
  gather_facts: false
  roles: [files]
  tasks:
    - name: Write a file of the playbook
      ansible.builtin.copy: {content: hello, dest: "{{ folder }}/{{ inventory_hostname }}/other", mode: "0600"}
"""

FILES = """
- name: Main | Create the folder
  ansible.builtin.file: {path: "{{ folder }}/{{ inventory_hostname }}", state: directory, mode: "0755"}
- name: Main | Install the packages
  csv_to_aurora.aws.resource:
    kind: packages
    name: nftables
    current: {}
    desired: {installed: [nftables]}
    apply: {ansible.builtin.command: {_raw_params: "true"}}
- name: Main | Create the user of the database
  csv_to_aurora.aws.resource:
    kind: database user
    name: app
    current: {}
    desired: {name: app}
    apply: {ansible.builtin.command: {_raw_params: "true"}}
  run_once: true
- name: Main | Note it on the controller
  ansible.builtin.copy: {content: hello, dest: "{{ folder }}/{{ inventory_hostname }}/report", mode: "0600"}
  delegate_to: localhost
  run_once: true
- name: Main | Write what is gone soon
  ansible.builtin.copy: {content: hello, dest: "/tmp/csv-to-aurora-test-{{ inventory_hostname }}", mode: "0600"}
- name: Main | Remove it
  ansible.builtin.file: {path: "/tmp/csv-to-aurora-test-{{ inventory_hostname }}", state: absent}
"""

FAILURES = {
    "fail": (
        """
- name: Main | Refuse
  ansible.builtin.fail: {msg: "Not like this. See {{ folder }}/a/../b."}
""",
        "FAILED: Not like this. See FOLDER/b.",
    ),
    "loop": (
        """
- name: Main | Check each
  ansible.builtin.assert: {that: item == 2, fail_msg: "Number {{ item }} is wrong.", quiet: true}
  loop: [1, 2, 3]
""",
        """FAILED: Number 1 is wrong.
FAILED: Number 3 is wrong.""",
    ),
    "resource": (
        """
- name: Main | Update the VPC
  csv_to_aurora.aws.resource:
    {kind: VPC, name: main, current: {a: 1}, desired: {a: 2}, owner: {Project: shop}}
""",
        """FAILED: The VPC main exists but does not carry the tag Project=shop, so it is not managed by this stack and \
is left as it is. Rename the stack (project and environment_name in the inventory's group_vars), remove the VPC, or \
tag it if it belongs to this stack.""",
    ),
    "module": (
        """
- name: Main | Check it
  ansible.builtin.file: {path: "{{ folder }}/no/../{{ item }}", state: file}
  loop: [a, b]
""",
        """FAILED: Check it (a): file (FOLDER/a) is absent, cannot continue. Run again with -v for the whole answer.
FAILED: Check it (b): file (FOLDER/b) is absent, cannot continue. Run again with -v for the whole answer.""",
    ),
    "command": (
        """
- name: Main | Build the image
  ansible.builtin.shell: echo step 1 >&2; echo no space left >&2; exit 3
  changed_when: true
""",
        """FAILED: Build the image: The command exited with a non-zero return code: no space left. Run again with -v \
for the whole answer.""",
    ),
    "no_log": (
        """
- name: Main | Set the password
  ansible.builtin.command: 'false hunter2'
  loop: [hunter2]
  no_log: true
""",
        "FAILED: Set the password: failed, and no_log hides why.",
    ),
    "undefined": (
        """
- name: Main | Use a variable
  ansible.builtin.set_fact: {__failing_a: "{{ nothing }}"}
""",
        """FAILED: Use a variable: Finalization of task args for 'ansible.builtin.set_fact' failed: Error while \
resolving value for '__failing_a': 'nothing' is undefined. Run again with -v for the whole answer.""",
    ),
    "rescued": (
        """
- name: Main | Try
  block:
    - name: Main | Fail
      ansible.builtin.command: 'false'
  rescue:
    - name: Main | Say why
      ansible.builtin.fail: {msg: It did not work. Do it otherwise.}
  always:
    - name: Main | Clean up, which fails too
      ansible.builtin.fail: {msg: Nor did that.}
""",
        """FAILED: It did not work. Do it otherwise.
FAILED: Nor did that.""",
    ),
    "ignored": (
        """
- name: Main | Try
  ansible.builtin.command: 'false'
  ignore_errors: true
- name: Main | Stop
  ansible.builtin.fail: {msg: Stop.}
""",
        """IGNORED: Try: The command exited with a non-zero return code. Run again with -v for the whole answer.
FAILED: Stop.""",
    ),
}


def project_of(folder: Path, files: dict[str, str]) -> Path:
    """Write files into a folder and return it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a playbook and its roles."""
    return project_of(
        tmp_path,
        {
            "site.yml": PLAYBOOK,
            "roles/store/meta/argument_specs.yml": SPECS,
            "roles/store/tasks/main.yml": TASKS,
            "roles/store/tasks/look.yml": LOOK,
            "roles/quiet/tasks/main.yml": QUIET,
            "note": "",
            "again": "old",
        },
    )


def settings(project: Path) -> str:
    """Return the extra variables of the playbook."""
    return "--extra-vars=" + json.dumps({"folder": str(project), "found": {"answer": 42}, "newline": "\n"})


def run(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook."""
    return run_playbook(project / "site.yml", settings(project), *arguments, **environment)


def shown(output: str) -> list[str]:
    """Return the lines without banners' stars, empty lines and the time that a file took on a busy machine."""
    lines = [line.rstrip(" *") for line in output.splitlines() if line.strip()]
    return [re.sub(r" \(\d s\)$", "", line) if "bucket" not in line else line for line in lines]


def fail(folder: Path, tasks: str, *arguments: str) -> list[str]:
    """Run tasks that fail; return what is shown between the play's name and the recap."""
    project_of(folder, {"site.yml": FAILING, "roles/failing/tasks/main.yml": tasks})
    failed = run(folder, *arguments)
    assert failed.returncode == 2, failed.stdout + failed.stderr
    assert "Origin:" not in failed.stdout + failed.stderr
    lines = shown(failed.stdout)
    assert lines[0] == "PLAY [Work]"
    assert re.search("failed=[12] ", lines[lines.index("PLAY RECAP") + 1])
    return lines[1 : lines.index("PLAY RECAP")]


def test_a_run_shows_each_resource_once_and_what_waits_and_speaks(project: Path) -> None:
    first = run(project)
    assert first.returncode == 0, first.stderr
    lines = shown(first.stdout)
    assert re.fullmatch(r"  created  bucket data \([1-9] s\)", lines.pop(2))
    assert lines == RUN.format(folder=project).splitlines()
    assert "hunter2" not in first.stdout + first.stderr
    assert "\x1b[" not in first.stdout + first.stderr


def test_a_run_that_changes_nothing_shows_its_totals_alone(tmp_path: Path) -> None:
    playbook = "- name: Work\n  hosts: localhost\n  gather_facts: false\n  roles: [files]\n"
    tasks = "- name: Main | Create\n  ansible.builtin.file: {path: '{{ folder }}', state: directory}\n"
    project_of(tmp_path, {"site.yml": playbook, "roles/files/tasks/main.yml": tasks})
    assert shown(run(tmp_path).stdout) == ["Run: 0 created, 0 updated, 0 deleted; 1 unchanged."]
    project_of(tmp_path, {"roles/files/tasks/main.yml": QUIET.replace("quiet", "files")})
    assert shown(run(tmp_path).stdout) == []


def test_a_plan_shows_its_list_alone(project: Path) -> None:
    plan = run(project, "--check")
    assert plan.returncode == 0, plan.stderr
    lines = shown(plan.stdout)
    assert lines[0] == "PLAY [Work]"
    assert lines[1] == "first"
    assert lines.index("PLAN") == lines.index("It works.") + 1
    assert not [line for line in lines if line.startswith(("  created", "  updated", "  deleted"))]
    assert f"  store     would replace file {project}/again" in lines
    assert lines[-1] == "Plan: 4 to create, 1 to update, 1 to replace, 1 to delete; 1 unchanged."


def test_with_v_everything_is_shown(project: Path) -> None:
    full = run(project, "-v")
    assert full.returncode == 0, full.stderr
    for line in (
        "PLAY [Look only]",
        "TASK [store : Validating arguments against arg spec 'main'",
        "TASK [store : Look | Look at what is]",
        "TASK [Be quiet about what is right]",
        "skipping: no hosts matched",
        "PLAY RECAP",
        "localhost                  : ok=",
    ):
        assert line in full.stdout
    assert "hunter2" not in full.stdout + full.stderr
    # Files are compared to know whether they are new; the difference must not be shown.
    assert "+hello again" not in full.stdout
    (project / "in/settings").unlink()
    assert "+hello again" in run(project, "--diff").stdout


@pytest.mark.parametrize(("tasks", "said"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_reported_in_one_sentence(tmp_path: Path, tasks: str, said: str) -> None:
    assert fail(tmp_path, tasks) == said.replace("FOLDER", str(tmp_path)).splitlines()


def test_wrong_variables_of_a_role_are_reported_one_by_one(project: Path) -> None:
    refused = run(project, "--extra-vars=store_name=market")
    assert refused.returncode == 2
    assert shown(refused.stdout)[1] == (
        "FAILED: Wrong variables of the role store: value of store_name must be one of: shop, stall, got: market. "
        "Correct them in the inventory's group_vars."
    )


def test_a_host_that_cannot_be_reached_is_reported_by_name(tmp_path: Path) -> None:
    playbook = FAILING.replace("localhost", "far").replace("failing", "files")
    tasks = "- name: Main | Look\n  ansible.builtin.command: 'true'\n"
    inventory = "all: {hosts: {far: {ansible_connection: ssh, ansible_host: 192.0.2.1, ansible_ssh_executable: /no}}}\n"
    project_of(tmp_path, {"site.yml": playbook, "roles/files/tasks/main.yml": tasks, "hosts.yml": inventory})
    failed = run(tmp_path, f"--inventory={tmp_path}/hosts.yml")
    assert failed.returncode in (2, 4)
    (line,) = [line for line in shown(failed.stdout) if line.startswith("FAILED on far: ")]
    assert line.endswith("Run again with -v for the whole answer.")


def test_warnings_stay(tmp_path: Path) -> None:
    tasks = (
        "- name: Main | Create\n"
        "  csv_to_aurora.aws.resource:\n"
        "    {kind: VPC, name: main, current: {}, desired: {a: 1}, apply: {ansible.builtin.ping: {}}}\n"
    )
    project_of(tmp_path, {"site.yml": FAILING, "roles/failing/tasks/main.yml": tasks})
    warned = run(tmp_path)
    assert "[WARNING]: The VPC main differs (a), but no module changed it." in " ".join(warned.stderr.split())


@pytest.fixture
def lasting() -> Iterator[Path]:
    """A folder outside of those for temporary files, which are no resources of another machine."""
    # Not among temporary files, which are no resources on another machine: the project itself may be there.
    with tempfile.TemporaryDirectory(dir=Path.home(), prefix=".csv-to-aurora-test-") as folder:
        yield Path(folder)


def on_hosts(folder: Path, chosen: str) -> list[str]:
    """Configure hosts that pass for other machines; return what is shown."""
    project_of(
        folder,
        {
            "site.yml": HOSTS,
            "roles/files/tasks/main.yml": FILES,
            "connections/elsewhere.py": ELSEWHERE,
            "hosts.yml": "all: {hosts: {near: {ansible_connection: local},"
            " far: {ansible_connection: elsewhere}, farther: {ansible_connection: elsewhere}}}\n",
        },
    )
    done = run(
        folder,
        f"--inventory={folder}/hosts.yml",
        f"--extra-vars=chosen={chosen}",
        ANSIBLE_CONNECTION_PLUGINS=str(folder / "connections"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return shown(done.stdout)


def test_one_other_machine_is_named_in_the_heading(lasting: Path) -> None:
    assert on_hosts(lasting, "far") == [
        "PLAY [Configure]",
        "files on far",
        f"  created  directory {lasting}/far",
        "  created  packages nftables",
        "files",
        "  created  database user app",
        f"  created  file {lasting}/far/report",
        "Configure",
        f"  created  file {lasting}/far/other on far",
        "Run: 5 created, 0 updated, 0 deleted; 0 unchanged.",
    ]


def test_several_machines_are_named_in_each_line(lasting: Path) -> None:
    lines = on_hosts(lasting, "far,farther")
    assert lines[:2] == ["PLAY [Configure]", "files"]
    assert sorted(lines[2:8]) == [
        "  created  database user app",
        f"  created  directory {lasting}/far on far",
        f"  created  directory {lasting}/farther on farther",
        f"  created  file {lasting}/far/report",
        "  created  packages nftables on far",
        "  created  packages nftables on farther",
    ]
    assert lines[-1] == "Run: 8 created, 0 updated, 0 deleted; 0 unchanged."


def test_the_controller_needs_no_mention(lasting: Path) -> None:
    lines = on_hosts(lasting, "near")
    assert not [line for line in lines if " on " in line]
    # Files in the controller's folder for temporary files may be permanent.
    assert "  created  file /tmp/csv-to-aurora-test-near" in lines


def on_a_terminal(project: Path, **environment: str) -> str:
    """Run the playbook on a terminal and return what it shows there."""
    controller, terminal = pty.openpty()
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    settings_of_colour = ("NO_COLOR", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR")
    with subprocess.Popen(
        [program, "--inventory=localhost,", "--connection=local", str(project / "site.yml"), settings(project)],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name not in settings_of_colour}
        | {"TERM": "xterm", "ANSIBLE_ROLES_PATH": str(project / "roles"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
        | environment,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    ):
        os.close(terminal)
        output = b""
        try:
            while chunk := os.read(controller, 65536):
                output += chunk
        except OSError:
            pass  # how a terminal reports that its other end is closed
        os.close(controller)
    return output.decode()


def test_colours_are_for_terminals_that_want_them(tmp_path: Path) -> None:
    tasks = (
        "- name: Main | Write\n"
        "  ansible.builtin.copy: {content: hello, dest: '{{ folder }}/file', mode: '0600'}\n"
        "- name: Main | Stop\n"
        "  ansible.builtin.fail: {msg: Stop.}\n"
    )
    project_of(tmp_path, {"site.yml": FAILING, "roles/failing/tasks/main.yml": tasks})
    coloured = on_a_terminal(tmp_path)
    created, stopped = f"  created  file {tmp_path}/file", "FAILED: Stop."
    assert f"\x1b[0;32m{created}" in coloured
    assert f"\x1b[0;31m{stopped}\x1b[0m" in coloured
    (tmp_path / "file").unlink()
    plain = on_a_terminal(tmp_path, NO_COLOR="1")
    assert created in plain
    assert stopped in plain
    assert "\x1b[" not in plain


def test_durations_and_paths_read_well() -> None:
    assert [duration(seconds) for seconds in (0, 3.4, 59.6, 125, 7260)] == [
        "0 s",
        "3 s",
        "1 min 0 s",
        "2 min 5 s",
        "2 h 1 min",
    ]
    assert tidy("ssh -i /a/b/../c/../key u@h, x/../y. '../z' and a..b/../c") == "ssh -i /a/key u@h, y. '../z' and c"


def test_nothing_that_steers_a_terminal_reaches_it(tmp_path: Path) -> None:
    foreign = "a\x1b]0;title\x07\x9b2J\u202etxt.exe\r\nb\tc"
    playbook = tmp_path / "foreign.yml"
    tasks = [
        {"name": "Show", "ansible.builtin.debug": {"msg": foreign}},
        {"name": "Show a line", "ansible.builtin.debug": {"msg": "{{ line | csv_to_aurora.aws.printable }}"}},
        {"name": "Fail", "ansible.builtin.fail": {"msg": foreign}},
    ]
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": {"line": "x\x1b\ny"}, "tasks": tasks}])
    )
    run = run_playbook(playbook, ANSIBLE_NOCOLOR="1")
    output = run.stdout + run.stderr
    assert "a?]0;title??2J?txt.exe\nb\tc" in run.stdout
    assert "x??y" in run.stdout
    assert "FAILED: a?]0;title??2J?txt.exe" in output
    assert not set(output) & set("\x1b\x07\x9b\u202e\r")
