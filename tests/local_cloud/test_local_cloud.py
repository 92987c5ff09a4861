"""The local cloud itself, started and stopped, while a developer's own local cloud may be running."""

from __future__ import annotations

import configparser
import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import docker
import pymysql
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "local-cloud-test"
REGION = "eu-west-1"
USER = "dbadmin"
# Every kind of character with a meaning in SQL or a shell.
PASSWORD = "pa'ss\\wo`rd$12#%"

FUNCTION = """
import importlib.util
import boto3

def handler(event, context):
    return {
        "boto3": boto3.__version__,
        "missing": [name for name in ("pymysql", "ansible") if importlib.util.find_spec(name) is None],
        "role": boto3.client("sts").get_caller_identity()["Arn"],
    }
"""

pytestmark = pytest.mark.local_cloud


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass
class Run:
    """One run of a playbook: its output, and the number of resources that it changed, or would change."""

    output: str
    changed: int


class Cloud:
    """A local cloud with its own folder, ports and account."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.database_port = free_port()
        self.account = f"{self.port:012d}"

    def play(self, playbook: str, *arguments: str, fails: bool = False) -> Run:
        """Run `playbook` for this cloud; fail the test unless it succeeds, or with `fails` unless it fails."""
        settings = {
            "local_cloud_dir": str(self.folder),
            "local_cloud_name": NAME,
            "local_cloud_port": self.port,
            "local_cloud_database_port": self.database_port,
            "local_cloud_account_id": self.account,
            # The cloud is tested here, not the permissions of a stack's deployer.
            "local_cloud_deployer_policies": {"everything": EVERYTHING},
        }
        with tempfile.TemporaryDirectory() as temporary:
            summary = Path(temporary) / "summary.json"
            result = subprocess.run(
                [
                    str(Path(sys.executable).with_name("ansible-playbook")),
                    f"playbooks/{playbook}.yml",
                    "--inventory=inventories/local/hosts.yml",
                    f"--extra-vars={json.dumps(settings)}",
                    *arguments,
                ],
                cwd=ROOT,
                env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(summary)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert (result.returncode != 0) == fails, result.stdout
            return Run(result.stdout, len(json.loads(summary.read_text())["changes"]))

    def client(self, service: Any, key: str = "", secret: str = "") -> Any:
        """Return a client of `service`: as the deployer, or with another access key."""
        if not key:
            key, secret = self.access_key("credentials", "local")
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def root(self, service: Any) -> Any:
        """Return a client of `service` as the account's root user, to whom no policy applies."""
        return self.client(service, *self.access_key("root", "root"))

    def access_key(self, file: str, profile: str) -> tuple[str, str]:
        """Return the access key of a profile, and its secret."""
        ini = configparser.ConfigParser(interpolation=None)
        ini.read(self.folder / "aws" / file)
        return ini[profile]["aws_access_key_id"], ini[profile]["aws_secret_access_key"]

    def engine(self) -> docker.DockerClient:
        """Return the client of the container engine."""
        return docker.DockerClient(base_url=json.loads((self.folder / "cloud.json").read_text())["docker_host"])

    def pid(self) -> int:
        """Return the id of the process of the API."""
        return int((self.folder / "ministack.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    # Not pytest's own folder: a socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="local-cloud-"))
    made = Cloud(folder)
    try:
        yield made
    finally:
        if folder.exists():
            made.play("local_cloud_down", "--extra-vars=local_cloud_purge=true")


@pytest.fixture(scope="module")
def first_start(cloud: Cloud) -> Run:
    return cloud.play("local_cloud")


@pytest.fixture(scope="module")
def started(cloud: Cloud, first_start: Run) -> Cloud:
    assert first_start.changed > 0
    return cloud


@dataclass
class Database:
    """The endpoint of a cluster."""

    host: str
    port: int
    ca_file: Path

    def connect(self, **options: Any) -> Any:
        """Connect with full verification of the server, or with other options."""
        options = {"ssl": ssl.create_default_context(cafile=str(self.ca_file))} | options
        return pymysql.connect(host=self.host, port=self.port, user=USER, password=PASSWORD, **options)


@pytest.fixture(scope="module")
def database(started: Cloud) -> Database:
    rds = started.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.08.0",
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        DatabaseName="challenge",
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders-1",
        DBClusterIdentifier="orders",
        Engine="aurora-mysql",
        DBInstanceClass="db.t4g.medium",
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier="orders-1", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"]
    return Database(cluster["Endpoint"], cluster["Port"], started.folder / "ca.pem")


def wait_for[Result](ask: Callable[[], Result | None], seconds: float = 60) -> Result:
    """Return the result of `ask` as soon as it is not None."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer is not None:
            return answer
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.3)


def ssh(cloud: Cloud, address: str, command: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
    """Run `command` on a host, with the cloud's key."""
    return subprocess.run(
        [
            "ssh",
            f"-i{cloud.folder}/ssh/id_ed25519",
            "-oBatchMode=yes",
            "-oConnectTimeout=5",
            "-oStrictHostKeyChecking=accept-new",
            f"-oUserKnownHostsFile={cloud.folder}/known_hosts",
            f"{user}@{address}",
            command,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def listeners() -> set[tuple[str, int]]:
    """Return every IPv4 address and port that a process listens on; :: for any IPv6 address."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            found.add(("::", int(fields[1].split(":")[1], 16)))
    return found


def test_a_plan_of_the_first_start_creates_the_local_cloud(cloud: Cloud) -> None:
    plan = cloud.play("local_cloud", "--check")
    assert plan.changed == 1
    assert "A run would change the local cloud." in plan.output
    assert f"would create  local cloud {NAME}" in plan.output
    assert not list(cloud.folder.iterdir())


def test_a_start_shows_what_it_creates(started: Cloud, first_start: Run) -> None:
    prefix = f"localhost/{NAME}-{started.port}"
    for resource in (
        f"CA {NAME}",
        f"certificate {started.folder}/tls/certificate.pem",
        f"SSH key {started.folder}/ssh/id_ed25519",
        f"container image {prefix}/mysql:8.0",
        f"container image {prefix}/app-host:13",
        "process ministack",
        "IAM user deployer",
        f"AMI {NAME}-app-host",
    ):
        assert re.search(rf"^  created  {re.escape(resource)}( |$)", first_start.output, re.MULTILINE), resource
    assert not re.search(r"^  \w+ +command", first_start.output, re.MULTILINE), first_start.output


def test_a_second_start_changes_nothing(started: Cloud) -> None:
    assert started.play("local_cloud").changed == 0
    plan = started.play("local_cloud", "--check")
    assert plan.changed == 0
    assert "The local cloud is unchanged." in plan.output


def test_keys_are_for_their_owner_only(started: Cloud) -> None:
    for name in ("ssh/id_ed25519", "tls/key.pem", "tls/ca-key.pem", "aws/credentials", "aws/root", "ministack.json"):
        assert (started.folder / name).stat().st_mode & 0o777 == 0o600, name
    assert started.folder.stat().st_mode & 0o777 == 0o700


def test_the_playbooks_user_is_not_root(started: Cloud) -> None:
    identity = started.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{started.account}:user/deployer"


def test_the_root_user_has_a_secret_of_this_cloud(started: Cloud) -> None:
    key, secret = started.access_key("root", "root")
    assert (key, len(secret)) == (started.account, 40)
    assert started.root("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{key}:root"
    for wrong in ("test", "any", secret.swapcase()):
        with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
            started.client("sts", key, wrong).get_caller_identity()


def test_iam_is_enforced(started: Cloud) -> None:
    iam = started.root("iam")
    iam.create_user(UserName="without-policies")
    key = iam.create_access_key(UserName="without-policies")["AccessKey"]
    stranger = started.client("s3", key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        stranger.create_bucket(Bucket="strangers-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"

    with pytest.raises(botocore.exceptions.ClientError):
        started.client("sts", "AKIAUNKNOWNUNKNOWN12", "secret").get_caller_identity()


def test_a_cluster_is_a_mysql_with_verified_tls(database: Database) -> None:
    with database.connect(database="challenge") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@require_secure_transport, @@local_infile, @@collation_server, @@sql_mode")
        secure, local_infile, collation, mode = cursor.fetchone()
        assert (secure, local_infile, collation) == (1, 1, "utf8mb4_0900_ai_ci")
        assert "STRICT_TRANS_TABLES" in mode
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        assert cursor.fetchone()[1].startswith("TLSv1.")
        cursor.execute("CREATE TABLE kept (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO kept VALUES (42)")
        cursor.execute("CREATE USER reader IDENTIFIED BY 'reader-password'")
        cursor.execute("GRANT SELECT ON challenge.* TO reader")
        connection.commit()


def test_an_unknown_ca_or_plain_text_is_refused(database: Database) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        database.connect(ssl=ssl.create_default_context())
    with pytest.raises(pymysql.err.OperationalError, match="insecure transport"):
        database.connect(ssl=None, ssl_disabled=True)


def test_a_function_has_its_zip_and_boto3_only(started: Cloud) -> None:
    started.root("iam").create_role(
        RoleName="function",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        ),
    )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", FUNCTION)
    client = started.client("lambda")
    client.create_function(
        FunctionName="packages",
        Runtime="python3.13",
        Handler="app.handler",
        Role=f"arn:aws:iam::{started.account}:role/function",
        Code={"ZipFile": code.getvalue()},
    )
    answer = json.loads(client.invoke(FunctionName="packages")["Payload"].read())
    assert answer == {
        "boto3": boto3.__version__,
        "missing": ["pymysql", "ansible"],
        "role": f"arn:aws:sts::{started.account}:assumed-role/function/packages",
    }


def test_nothing_listens_beyond_loopback_and_the_container_bridge(started: Cloud, database: Database) -> None:
    bound = listeners()
    assert {address for address, port in bound if port == started.port} == {"127.0.0.1"}
    assert {address for address, port in bound if port == database.port} == {"127.0.0.1", database.host}


def test_an_instance_takes_ssh_and_reaches_packages_and_database(started: Cloud, database: Database) -> None:
    ec2 = started.client("ec2")
    (image,) = ec2.describe_images(Filters=[{"Name": "name", "Values": [f"{NAME}-app-host"]}])["Images"]
    instances = ec2.run_instances(ImageId=image["ImageId"], MinCount=2, MaxCount=2)["Instances"]
    ids = [instance["InstanceId"] for instance in instances]
    reservations = ec2.describe_instances(InstanceIds=ids)["Reservations"]
    addresses = [host["PublicIpAddress"] for found in reservations for host in found["Instances"]]

    def answers(address: str) -> bool | None:
        return True if ssh(started, address, "true").returncode == 0 else None

    for address in addresses:
        wait_for(lambda: answers(address))  # noqa: B023 # called before the next address is taken
    first, second = addresses
    whoami = ssh(started, first, "sudo -n id -u && python3 --version")
    assert whoami.stdout.startswith("0\nPython 3."), whoami
    machine = ssh(started, first, "cat /proc/1/comm && systemctl is-system-running --wait && systemctl is-active ssh")
    assert machine.stdout == "systemd\nrunning\nactive\n", machine
    # Whoever is root there cannot change the settings of this machine's kernel.
    kernel = ssh(started, first, "sudo sh -c 'echo 7 > /proc/sys/kernel/panic'; ls /dev")
    assert "Read-only file system" in kernel.stderr, kernel
    assert not {"kmsg", "mem", "sda", "tty1", "vda"} & set(kernel.stdout.split()), kernel
    assert ssh(started, first, "true", user="root").returncode != 0
    reach = ssh(started, first, f"sudo apt-get update --quiet && bash -c '</dev/tcp/{database.host}/{database.port}'")
    assert reach.returncode == 0, reach
    show_key = "cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub"
    assert ssh(started, first, show_key).stdout != ssh(started, second, show_key).stdout
    ec2.terminate_instances(InstanceIds=ids)
    left = started.engine().containers.list(all=True, filters={"label": "instance_id"}, sparse=True)
    assert not [one for one in left if one.attrs["Labels"]["instance_id"] in ids]


def test_where_the_engine_does_not_let_systemd_run_there_is_sshd_and_the_console_has_the_reason(started: Cloud) -> None:
    prefix = f"localhost/{NAME}-{started.port}"
    host = started.engine().containers.run(f"{prefix}/app-host:13", detach=True)
    try:
        reason = wait_for(lambda: re.search("may not run systemd, only sshd: (.+)", host.logs().decode()))
        assert "mount" in reason[1], reason[1]
        listens = "import socket; print(socket.create_connection(('127.0.0.1', 22), 5).recv(64))"
        wait_for(lambda: re.search(b"SSH-2.0", host.exec_run(["python3", "-c", listens]).output))
    finally:
        host.remove(force=True)


def test_a_port_that_another_cloud_uses_is_refused(started: Cloud) -> None:
    with tempfile.TemporaryDirectory(prefix="local-cloud-") as folder:
        second = Cloud(Path(folder))
        second.port = started.port
        try:
            refusal = second.play("local_cloud", fails=True)
            assert f"answers on port {started.port}" in " ".join(refusal.output.split())
        finally:
            second.play("local_cloud_down")
    assert started.client("sts").get_caller_identity()["Account"] == started.account


def test_a_restart_keeps_account_objects_and_rows(started: Cloud, database: Database) -> None:
    s3 = started.client("s3")
    s3.create_bucket(Bucket="kept-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="kept-bucket", Key="kept", Body=b"kept")
    os.kill(started.pid(), signal.SIGTERM)
    wait_for(lambda: None if ("127.0.0.1", started.port) in listeners() else True)

    assert started.play("local_cloud").changed > 0
    assert s3.get_object(Bucket="kept-bucket", Key="kept")["Body"].read() == b"kept"

    def rows() -> Any:
        try:
            with database.connect(database="challenge") as connection, connection.cursor() as cursor:
                cursor.execute("SELECT id FROM kept")
                return cursor.fetchall()
        except pymysql.err.OperationalError:
            return None

    assert wait_for(rows) == ((42,),)


def kill_containers(cloud: Cloud) -> None:
    """End the containers as a machine's crash does, without their engine."""
    label = f"ministack.instance={NAME}:{cloud.port}"
    running = cloud.engine().containers.list(filters={"label": label})
    assert running
    for container in running:
        process = container.attrs["State"]["Pid"]
        parent = re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
        assert parent
        # Podman has one for each container; Docker's only one reports the end.
        if Path(f"/proc/{parent[1]}/comm").read_text() == "conmon\n":
            os.kill(int(parent[1]), signal.SIGKILL)
        os.kill(process, signal.SIGKILL)


def test_a_crash_is_reported_and_its_remains_are_removed(started: Cloud, database: Database) -> None:
    kill_containers(started)
    os.kill(started.pid(), signal.SIGKILL)
    wait_for(lambda: None if ("127.0.0.1", started.port) in listeners() else True)

    assert "ministack ended without saving its account" in started.play("local_cloud").output
    assert started.client("s3").list_buckets()["Buckets"] == []
    assert ("127.0.0.1", database.port) not in listeners()
    assert not [volume for volume in started.engine().volumes.list() if "orders" in volume.name]


def test_stop_leaves_nothing(started: Cloud) -> None:
    # An instance to stop.
    ec2 = started.client("ec2")
    (image,) = ec2.describe_images(Filters=[{"Name": "name", "Values": [f"{NAME}-app-host"]}])["Images"]
    ec2.run_instances(ImageId=image["ImageId"], MinCount=1, MaxCount=1)
    engine = json.loads((started.folder / "cloud.json").read_text())["container_engine"]
    label = f"label=ministack.instance={NAME}:{started.port}"

    def containers(*options: str) -> set[str]:
        """Return ids from the engine's command line: the service may have been this cloud's."""
        listed = subprocess.run([engine, "ps", "-aq", *options], capture_output=True, text=True, check=True)
        return set(listed.stdout.split())

    assert containers(f"--filter={label}")

    assert started.play("local_cloud_down").changed > 0
    assert not containers(f"--filter={label}")
    assert not {started.port, started.database_port} & {port for _, port in listeners()}
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(started.folder) not in processes
    assert not (started.folder / "aws").exists()
    assert started.play("local_cloud_down").changed == 0

    images = subprocess.run([engine, "images"], capture_output=True, text=True, check=True).stdout
    assert f"{NAME}-{started.port}/" in images
    started.play("local_cloud_down", "--extra-vars=local_cloud_purge=true")
    images = subprocess.run([engine, "images"], capture_output=True, text=True, check=True).stdout
    assert f"{NAME}-{started.port}/" not in images
    assert not started.folder.exists()
