"""Where playbooks are run: another folder, configuration, shell. It works, or one sentence says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import PROJECT, checkout

UNREACHABLE = "http://127.0.0.1:1"
REACHED = "AWS does not answer"
"""What preflight says when it has come to its first call: everything before it works."""
SECONDS = 60


def run(
    project: Path,
    playbook: str,
    *arguments: str,
    inventory: str = "inventories/dev",
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
    umask: int = 0o022,
    **variables: Any,
) -> tuple[int, str]:
    """Run a playbook of a checkout, where AWS does not answer; return the exit code and the output."""
    connection = {"region": "eu-west-1", "endpoint_url": UNREACHABLE, "access_key": "x", "secret_key": "x"}
    given = {
        "aws_account_id": "123456789012",
        "ssh_public_key_file": str(PROJECT / "tests/e2e/nobody.pub"),
        "aws_connection": connection,
        **variables,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *(str(project / "playbooks" / playbook), "-i", str(project / inventory), "-e", json.dumps(given)),
            *arguments,
        ],
        cwd=cwd or project,
        env=kept | {"AWS_EC2_METADATA_DISABLED": "true"} | (environment or {}),
        umask=umask,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout of a test's own."""
    return checkout(tmp_path / "checkout")


@pytest.mark.parametrize("playbook", ["plan.yml", "site.yml", "load.yml", "unlock.yml"])
def test_from_another_folder_it_is_said_where_to_run(project: Path, tmp_path: Path, playbook: str) -> None:
    code, output = run(project, playbook, cwd=tmp_path, rows=1)
    assert code == 2, output
    assert f"Ansible has not read {project}/ansible.cfg, but no ansible.cfg." in output
    assert f"Run from the project's folder: cd {project}, or: export ANSIBLE_CONFIG={project}/ansible.cfg" in output


def test_from_another_folder_with_the_configuration_it_works(project: Path, tmp_path: Path) -> None:
    code, output = run(project, "plan.yml", cwd=tmp_path, environment={"ANSIBLE_CONFIG": str(project / "ansible.cfg")})
    assert code == 2
    assert REACHED in output


def test_in_a_folder_that_everybody_may_write_it_is_said(project: Path) -> None:
    project.chmod(0o777)
    code, output = run(project, "plan.yml")
    assert code == 2
    assert f"Ansible ignores the ansible.cfg of such a folder: chmod o-w {project}" in output


OF_ANSIBLE = {
    "ANSIBLE_BECOME": "true",
    "ANSIBLE_COLLECTIONS_PATH": "/usr/share/ansible/collections",
    "ANSIBLE_DIFF_ALWAYS": "true",
    "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true",
    "ANSIBLE_FORCE_COLOR": "1",
    "ANSIBLE_FORKS": "1",
    "ANSIBLE_GATHERING": "smart",
    "ANSIBLE_HOST_KEY_CHECKING": "false",
    "ANSIBLE_INVENTORY": "/etc/ansible/hosts",
    "ANSIBLE_PIPELINING": "false",
    "ANSIBLE_PRIVATE_ROLE_VARS": "true",
    "ANSIBLE_REMOTE_USER": "root",
    "ANSIBLE_ROLES_PATH": "/etc/ansible/roles",
    "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
    "ANSIBLE_STRATEGY": "free",
    "ANSIBLE_TIMEOUT": "3",
}
OF_THE_REST = {
    "AWS_DEFAULT_OUTPUT": "table",
    "AWS_PAGER": "",
    "AWS_REGION": "us-east-1",
    "AWS_RETRY_MODE": "adaptive",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "LANG": "C",
    "NO_PROXY": "127.0.0.1",
    "TERM": "dumb",
}
"""What the shells of people have in them."""


@pytest.mark.parametrize("shell", [OF_ANSIBLE, OF_THE_REST], ids=["ansible", "rest"])
def test_what_a_shell_has_in_it_does_not_matter(shell: dict[str, str]) -> None:
    code, output = run(PROJECT, "gather.yml", environment=shell)
    assert code == 2
    assert REACHED in output


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ({"ANSIBLE_CALLBACKS_ENABLED": "profile_tasks"}, "ANSIBLE_CALLBACKS_ENABLED of your shell leaves out csv_to"),
        ({"ANSIBLE_INVENTORY_ENABLED": "yaml"}, "ANSIBLE_INVENTORY_ENABLED of your shell leaves out csv_to_aurora"),
        ({"ANSIBLE_CONFIG": "{folder}/my.cfg"}, "ANSIBLE_CONFIG of your shell names another file. Unset it"),
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, 'export NO_PROXY="$NO_PROXY,127.0.0.1"'),
    ],
    ids=["callbacks", "inventory", "config", "proxy"],
)
def test_what_has_to_be_otherwise_is_named(tmp_path: Path, shell: dict[str, str], said: str) -> None:
    (tmp_path / "my.cfg").write_text("[defaults]\nforks = 50\n")
    given = {name: value.format(folder=tmp_path) for name, value in shell.items()}
    code, output = run(PROJECT, "plan.yml", environment=given)
    assert code != 0
    assert said in output


def test_an_inventory_that_does_not_exist_is_an_error(project: Path) -> None:
    code, output = run(project, "site.yml", inventory="inventories/prod")
    assert code == 2
    assert f"Nothing was done: the inventory ({project}/inventories/prod) has no host of this playbook" in output


def test_a_limit_to_the_app_host_is_refused_before_anything_runs(project: Path) -> None:
    (project / "inventories/dev/one.yml").write_text("app_hosts: {hosts: {app: {ansible_host: 192.0.2.1}}}\n")
    for playbook in ("site.yml", "configure.yml", "plan.yml"):
        code, output = run(project, playbook, "--limit", "app_hosts")
        assert code == 2
        assert "Nothing was done: --limit app_hosts leaves out the host controller" in output
        assert "PLAY" not in output


def test_make_works_in_a_shell_without_utf_8() -> None:
    ansible = Path(sys.executable).with_name("ansible")
    done = subprocess.run(
        ["make", "--silent", f"--eval=version:; @{ansible} --version", "version"],
        cwd=PROJECT,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ansible [core ")


def test_a_path_of_200_characters_with_spaces_works(tmp_path: Path) -> None:
    long = tmp_path / ("with a space " * 4) / ("x" * (200 - len(str(tmp_path)) - 60)) / "checkout"
    assert len(str(long)) > 190
    code, output = run(checkout(long), "plan.yml")
    assert code == 2
    assert REACHED in output


def test_a_strict_umask_works(project: Path) -> None:
    code, output = run(project, "plan.yml", umask=0o077)
    assert code == 2
    assert REACHED in output


@pytest.mark.parametrize("inventory", ["inventories/dev", "inventories/local/hosts.yml"])
def test_a_checkout_without_links_is_named(project: Path, inventory: str) -> None:
    for link in [path for path in project.glob("*/**/*") if path.is_symlink()]:
        target = str(link.readlink())
        link.unlink()
        link.write_text(target)
    code, output = run(project, "gather.yml", inventory=inventory)
    assert code != 0
    assert "group_vars/all/00_common has to be a symbolic link" in output
    assert "git config core.symlinks true && git checkout -- inventories playbooks" in output
    assert "expected dicts" not in output


def play_local_cloud(
    project: Path, tasks_from: str, folder: Path, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run one file of the role local_cloud's tasks."""
    task = {"ansible.builtin.include_role": {"name": "local_cloud", "tasks_from": tasks_from}}
    play = {"hosts": "controller", "gather_facts": False, "tasks": [task]}
    (project / "playbooks/one.yml").write_text(json.dumps([play]))
    return run(
        project,
        "one.yml",
        inventory="inventories/local/hosts.yml",
        environment=environment,
        local_cloud_dir=str(folder),
    )


def test_a_folder_too_long_for_a_socket_is_refused_before_podman_is_started(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    code, output = play_local_cloud(project, "podman", folder)
    assert code == 2
    assert f"the path of a socket may have 103 characters, and {folder}/podman.sock has" in output
    assert "export LOCAL_CLOUD_DIR=FOLDER" in output
    assert not folder.exists()


def test_a_proxy_between_this_machine_and_itself_is_refused_before_the_local_cloud_is_started(
    project: Path, tmp_path: Path
) -> None:
    code, output = play_local_cloud(project, "check", tmp_path, {"http_proxy": "http://127.0.0.1:9"})
    assert code == 2
    assert 'export NO_PROXY="$NO_PROXY,127.0.0.1"' in output
