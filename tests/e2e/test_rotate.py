"""New passwords while imports run, and no secret in any output, command line or environment."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pymysql
import pytest

from tests.e2e.conftest import GOOD, HEADER, ROOT, Stack

pytestmark = pytest.mark.e2e

SECRETS = ("administrator", "importer", "application")
ACCESS_DENIED = 1045
PLUGINS = Path(__file__).parent / "callback_plugins"
CALLBACKS = "csv_to_aurora.aws.warm_modules,csv_to_aurora.aws.release_locks,csv_to_aurora.aws.run_summary,kill_run"
# Tasks of rotate.yml, each of which leaves secrets, database and host in another state for the next run.
STEPS = (
    "Store the next password of each account as AWSPENDING",
    "Set the administrator's next password",
    "Add the next password to the database user",
    "Promote AWSPENDING to AWSCURRENT",
    "Discard the old password of the database user",
)


def secrets(stack: Stack) -> dict[str, dict[str, Any]]:
    """The content of each secret."""
    client = stack.client("secretsmanager")
    return {
        name: json.loads(client.get_secret_value(SecretId=f"csv-to-aurora-local/{name}")["SecretString"])
        for name in SECRETS
    }


def passwords(stack: Stack) -> dict[str, tuple[str, str]]:
    """User and password of each account."""
    return {
        name: (value.get("rds_username") or value["username"], value.get("rds_password") or value["password"])
        for name, value in secrets(stack).items()
    }


def accepted(stack: Stack, user: str, password: str) -> bool:
    """Whether the database accepts a login of this user with this password."""
    administrator = secrets(stack)["administrator"]
    try:
        pymysql.connect(
            host=administrator["host"],
            port=int(administrator["port"]),
            user=user,
            password=password,
            ssl=ssl.create_default_context(cafile=str(stack.folder / "ca.pem")),
        ).close()
    except pymysql.err.OperationalError as error:
        if error.args[0] != ACCESS_DENIED:
            raise
        return False
    return True


class Repeated(threading.Thread):
    """Calls a function repeatedly, for as long as the block lasts."""

    def __init__(self, what: Callable[[int], None], pause: float) -> None:
        """Call ``what``, with the number of the call, every ``pause`` seconds."""
        super().__init__()
        self.what, self.pause = what, pause
        self.turns = 0
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Repeat the call until the block ends."""
        try:
            while not self.ended.wait(self.pause):
                self.what(self.turns)
                self.turns += 1
        except Exception as error:  # noqa: BLE001  # the test has to see it
            self.error = error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.join()
        assert self.error is None, repr(self.error)


def command_lines() -> Iterator[str]:
    """The command lines and environments of all processes, those inside containers too."""
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield (process / name).read_text(errors="replace")
            except OSError:
                # It has ended, or may not be read.
                continue


RECORDER = """#!/bin/sh
tee -a /var/recorded | exec {python} "$@"
"""


def as_root(stack: Stack, *statements: str) -> list[tuple[Any, ...]]:
    """What the server answers root on the last statement: a master user may not change its logs.

    The emulator gives root the password of the master user.
    """
    administrator = secrets(stack)["administrator"]
    connection = pymysql.connect(
        host=administrator["host"],
        port=int(administrator["port"]),
        user="root",
        password=administrator["password"],
        ssl=ssl.create_default_context(cafile=str(stack.folder / "ca.pem")),
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


@dataclass
class Recorded:
    """What a run sent to the host's Python, and what the database received as statements."""

    host: str = ""
    statements: str = ""


@contextmanager
def recorded(stack: Stack) -> Iterator[Recorded]:
    """Be somebody who has the host, and reads the database's logs, while playbooks run."""
    found = Recorded()
    (host,) = stack.containers("ec2")

    def shell(command: str, **environment: str) -> str:
        done = host.exec_run(["sh", "-ec", command], user="root", environment=environment)
        assert done.exit_code == 0, done.output
        return str(done.output.decode(errors="replace"))

    python = shell("readlink -f /usr/bin/python3").strip()
    # log_raw: the server itself would hide passwords, as Aurora's audit log may not.
    as_root(stack, "SET GLOBAL log_output = 'TABLE', log_raw = ON, general_log = ON")
    shell(
        "touch /var/recorded && chmod 0666 /var/recorded && rm /usr/bin/python3 &&"
        ' printf %s "$RECORDER" > /usr/bin/python3 && chmod 0755 /usr/bin/python3',
        RECORDER=RECORDER.format(python=python),
    )
    try:
        yield found
    finally:
        shell(f"ln -sf {python} /usr/bin/python3")
        found.host = shell("cat /var/recorded; rm /var/recorded")
        as_root(stack, "SET GLOBAL general_log = OFF, log_raw = OFF, log_output = 'FILE'")
        rows = as_root(stack, "SELECT argument FROM mysql.general_log")
        found.statements = "\n".join(bytes(text).decode(errors="replace") for (text,) in rows)
        as_root(stack, "TRUNCATE mysql.general_log")


def uploads(stack: Stack, prefix: str) -> Repeated:
    """Upload a file every second."""
    s3, bucket = stack.client("s3"), stack.outputs()["bucket"]["name"]
    return Repeated(
        lambda turn: s3.put_object(Bucket=bucket, Key=f"{prefix}-{turn}.csv", Body=f"{HEADER}{GOOD}".encode()), 1
    )


def imports(stack: Stack, tmp_path: Path, prefix: str) -> dict[str, str]:
    """The status of the imports whose keys begin with ``prefix``."""
    file = tmp_path / "imports.json"
    stack.playbook("imports.yml", "-e", f"imports_file={file} imports_limit=5000")
    return {row["key"]: row["status"] for row in json.loads(file.read_text()) if row["key"].startswith(f"{prefix}-")}


def all_imported(stack: Stack, tmp_path: Path, prefix: str, count: int) -> dict[str, str]:
    """The same, once there are as many as were uploaded and all have ended."""
    deadline = time.monotonic() + 120
    while True:
        found = imports(stack, tmp_path, prefix)
        ended = [status for status in found.values() if status in {"succeeded", "failed"}]
        if len(ended) == count or time.monotonic() > deadline:
            return found
        time.sleep(2)


def test_passwords_change_while_imports_run_and_are_seen_nowhere(complete: Stack, tmp_path: Path) -> None:
    before = passwords(complete)
    seen: list[str] = []

    def look(_: int) -> None:
        # An import has its secret in memory; no process has one in its command line or environment.
        known = [password for _, password in [*before.values(), *passwords(complete).values()]]
        seen.extend(text[:80] for text in command_lines() for password in known if password in text)

    with recorded(complete) as record, uploads(complete, "rotate") as loop, Repeated(look, 2) as watch:
        run = complete.playbook("rotate.yml", "-vvv")
        complete.playbook("site.yml", "--tags=mysql_client,schema,hardening")
        complete.playbook("verify.yml")
    after = passwords(complete)

    assert loop.turns > 5
    assert watch.turns > 2
    found = all_imported(complete, tmp_path, "rotate", loop.turns)
    assert len(found) == loop.turns
    assert set(found.values()) == {"succeeded"}
    for name in SECRETS:
        assert before[name][0] == after[name][0]
        assert before[name][1] != after[name][1]
        assert accepted(complete, *after[name])
        assert not accepted(complete, *before[name])
    assert [name for name in SECRETS if before[name][1] in run.output or after[name][1] in run.output] == []
    assert seen == []
    # Whoever has the host waits in vain for a run, and whoever reads the database's logs for a password.
    # The administrator's is changed by RDS itself, whose stand-in sends a statement.
    for text, marks, names in (
        (record.host, ("ANSIBALLZ", "/home/admin/.my.cnf"), SECRETS),
        (record.statements, ("RETAIN CURRENT PASSWORD", "DISCARD OLD PASSWORD"), SECRETS[1:]),
    ):
        assert [mark for mark in marks if mark not in text] == []
        assert [name for name in names if before[name][1] in text or after[name][1] in text] == []
    # The host has the application's new password.
    complete.playbook("imports.yml")
    assert complete.playbook("site.yml", "--check").changed == 0


def test_only_what_was_asked_for_is_rotated(complete: Stack) -> None:
    before = passwords(complete)
    complete.playbook("rotate.yml", "-e", "rotate=application")
    after = passwords(complete)
    assert {name for name in SECRETS if before[name] != after[name]} == {"application"}
    assert accepted(complete, *after["application"])


def test_a_misspelt_account_is_refused(complete: Stack) -> None:
    run = complete.playbook("rotate.yml", "-e", "rotate=aplication", check=False)
    assert run.returncode != 0
    assert "administrator, importer and application" in run.output


def test_the_steps_are_tasks_of_the_playbook() -> None:
    text = (ROOT / "playbooks/rotate.yml").read_text(encoding="utf-8")
    assert [step for step in STEPS if f"- name: {step}\n" not in text] == []


@pytest.mark.slow
def test_killed_after_each_step_the_next_run_continues(complete: Stack, tmp_path: Path) -> None:
    before = passwords(complete)
    with uploads(complete, "killed") as loop:
        for task in STEPS:
            killed = complete.playbook(
                "rotate.yml",
                check=False,
                environment={
                    "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
                    "ANSIBLE_CALLBACKS_ENABLED": CALLBACKS,
                    "KILL_RUN_AFTER_TASK": task,
                },
            )
            assert killed.returncode < 0, killed.output[-2000:]
            complete.playbook("unlock.yml", "-e", f"lock_id={lock_id(complete)}")
        complete.playbook("rotate.yml")
    after = passwords(complete)
    found = all_imported(complete, tmp_path, "killed", loop.turns)
    assert len(found) == loop.turns
    assert set(found.values()) == {"succeeded"}
    for name in SECRETS:
        assert before[name] != after[name]
        assert accepted(complete, *after[name])
        assert not accepted(complete, *before[name])


def lock_id(stack: Stack) -> str:
    """The id of the lock that a killed run left."""
    value = stack.client("ssm").get_parameter(Name="/locks/csv-to-aurora-local")["Parameter"]["Value"]
    return str(json.loads(value)["id"])
