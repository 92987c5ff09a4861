"""The lock of an environment: one holder at a time, released however a run ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from emulated_cloud import Cloud
from playbook_runner import PROJECT, run_playbook

from tests import servers

PLAYBOOK = """
- name: Work alone
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Acquire the lock
      csv_to_aurora.aws.ssm_lock: {name: "{{ lock }}", purpose: work}
      module_defaults: {csv_to_aurora.aws.ssm_lock: "{{ cloud_connection }}"}
      register: taken
      changed_when: false
    - name: Release the lock
      csv_to_aurora.aws.ssm_lock: {name: "{{ lock }}", state: released, lock_id: "{{ taken.lock.id }}"}
      module_defaults: {csv_to_aurora.aws.ssm_lock: "{{ cloud_connection }}"}
      when: release_early | default(false)
    - name: Work
      ansible.builtin.command: "{{ work }}"

- name: Never come to this
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Pass
      ansible.builtin.command: "true"
"""


@pytest.fixture
def lock() -> str:
    """A name that no other test uses."""
    return f"/locks/{uuid4().hex[:8]}"


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """A playbook that acquires the lock and then works."""
    path = tmp_path / "work.yml"
    path.write_text(PLAYBOOK)
    return path


def stored(cloud: Cloud, name: str) -> dict[str, Any] | None:
    """Return the value of the parameter, None where there is none."""
    client = cloud.client("ssm")
    try:
        value: dict[str, Any] = json.loads(client.get_parameter(Name=name)["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        return None
    return value


def arguments(cloud: Cloud, lock: str, work: str, **others: Any) -> list[str]:
    """Return the command line's part about the lock."""
    return ["--extra-vars", json.dumps({"lock": lock, "cloud_connection": cloud.connection, "work": work, **others})]


def test_a_lock_through_its_life(cloud: Cloud, lock: str) -> None:
    planned = cloud.run("ssm_lock", check=True, name=lock)
    assert planned["changed"]
    assert stored(cloud, lock) is None

    taken = cloud.run("ssm_lock", name=lock, purpose="site.yml", process=os.getpid(), tags={"Project": "shop"})
    assert taken["changed"]
    assert taken["acquired"]
    kept = stored(cloud, lock)
    assert kept is not None
    assert kept["id"] == taken["lock"]["id"]
    assert kept["host"] == socket.gethostname()
    assert kept["owner"].startswith("arn:aws:")
    assert (kept["process"], kept["purpose"]) == (os.getpid(), "site.yml")
    tags = cloud.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=lock)["TagList"]
    assert tags == [{"Key": "Project", "Value": "shop"}]

    for check in (False, True):
        message = cloud.run.failure("ssm_lock", check=check, name=lock)
        assert kept["owner"] in message
        assert kept["since"] in message
    assert stored(cloud, lock) == kept

    other = cloud.run("ssm_lock", name=lock, state="released", lock_id="another")
    assert not other["changed"]
    assert other["lock"]["id"] == kept["id"]
    assert other["lock"]["abandoned"] is False
    assert cloud.run("ssm_lock", check=True, name=lock, state="released", lock_id=kept["id"])["changed"]
    assert stored(cloud, lock) == kept

    assert cloud.run("ssm_lock", name=lock, state="released", lock_id=kept["id"])["changed"]
    assert stored(cloud, lock) is None
    again = cloud.run("ssm_lock", name=lock, state="released", lock_id=kept["id"])
    assert not again["changed"]
    assert again["lock"] is None


def test_of_many_at_once_one_acquires_it(cloud: Cloud, lock: str) -> None:
    def acquire(_: int) -> bool:
        try:
            return bool(cloud.run("ssm_lock", name=lock)["acquired"])
        except AssertionError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(acquire, range(4))) == [False, False, False, True]


def test_a_lock_whose_process_has_ended_is_called_abandoned(ministack: Cloud, lock: str) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    taken = ministack.run("ssm_lock", name=lock, process=ended.pid)
    assert taken["acquired"]
    seen = ministack.run("ssm_lock", name=lock, state="released", lock_id="another")
    assert seen["lock"]["abandoned"] is True


def test_a_parameter_that_is_no_lock_is_left_alone(cloud: Cloud, lock: str) -> None:
    client = cloud.client("ssm")
    client.put_parameter(Name=lock, Value="something else", Type="String")
    every: list[dict[str, Any]] = [{}, {"state": "released", "lock_id": "any"}]
    for settings in every:
        assert "is no lock" in cloud.run.failure("ssm_lock", name=lock, **settings)
    assert client.get_parameter(Name=lock)["Parameter"]["Value"] == "something else"


def boto3_command(cloud: Cloud, call: str) -> str:
    """Return a command that does something with SSM."""
    client = (
        f"boto3.client('ssm', endpoint_url='{cloud.endpoint}', region_name='eu-west-1', aws_access_key_id='test', "
        f"aws_secret_access_key='{servers.SECRET}')"
    )
    return shlex.join([sys.executable, "-c", f"import boto3; ssm = {client}; {call}"])


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_releases_its_lock_whether_it_fails_or_not(
    ministack: Cloud, lock: str, playbook: Path, code: int
) -> None:
    seen = playbook.with_name("seen")
    call = f"value = ssm.get_parameter(Name='{lock}'); open('{seen}', 'w'); raise SystemExit({code})"
    run = run_playbook(playbook, *arguments(ministack, lock, boto3_command(ministack, call)))
    assert run.returncode == (2 if code else 0), run.stdout + run.stderr
    assert seen.exists(), "the lock was not held while the run was in progress"
    assert stored(ministack, lock) is None


def test_a_run_that_finds_it_held_leaves_it_held(ministack: Cloud, lock: str, playbook: Path) -> None:
    ministack.run("ssm_lock", name=lock)
    kept = stored(ministack, lock)
    run = run_playbook(playbook, *arguments(ministack, lock, "true"))
    assert run.returncode == 2
    assert stored(ministack, lock) == kept


def test_a_lock_that_a_run_has_released_belongs_to_the_next_run(ministack: Cloud, lock: str, playbook: Path) -> None:
    value = json.dumps({"id": "next", "owner": "o", "host": "h", "since": "2026-01-01T00:00:00Z"})
    take = boto3_command(ministack, f"ssm.put_parameter(Name='{lock}', Value='{value}', Type='String')")
    run = run_playbook(playbook, *arguments(ministack, lock, take, release_early=True))
    assert run.returncode == 0, run.stdout + run.stderr
    kept = stored(ministack, lock)
    assert kept is not None
    assert kept["id"] == "next"


@pytest.mark.parametrize(
    ("number", "released"),
    [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGHUP, True), (signal.SIGKILL, False)],
)
def test_an_interrupted_run_releases_its_lock_unless_it_is_killed(
    ministack: Cloud, lock: str, playbook: Path, number: signal.Signals, *, released: bool
) -> None:
    working, ending = playbook.with_name("working"), playbook.with_name("ending")
    for path in (working, ending):
        os.mkfifo(path)
    # The work reports that it has begun, and ends only when the test says so.
    work = f"sh -c 'echo begun > {working}; read line < {ending}'"
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    with subprocess.Popen(
        [program, "--inventory=localhost,", "--connection=local", str(playbook), *arguments(ministack, lock, work)],
        cwd=PROJECT,
        env=os.environ | {"ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert working.read_text() == "begun\n"
        assert stored(ministack, lock) is not None
        run.send_signal(number)
        run.wait(timeout=60)
        # Where the work outlived the run, it can end now; where it did not, nothing reads.
        handle = os.open(ending, os.O_RDWR | os.O_NONBLOCK)
        os.write(handle, b"end\n")
        output = run.stdout.read() if run.stdout else ""
        os.close(handle)
    assert run.returncode != 0
    assert "Traceback" not in output
    assert (stored(ministack, lock) is None) == released, output


def test_a_lock_that_cannot_be_released_is_reported(ministack: Cloud, lock: str, playbook: Path) -> None:
    call = f"ssm.put_parameter(Name='{lock}', Value='spoilt', Type='String', Overwrite=True)"
    run = run_playbook(playbook, *arguments(ministack, lock, boto3_command(ministack, call)))
    assert run.returncode == 0
    shown = " ".join((run.stdout + run.stderr).split())
    assert f"The lock {lock} could not be released: " in shown
    assert "Release it by its id " in shown
