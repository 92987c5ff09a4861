"""Who one is on AWS: one setting reaches modules, lookups and the dynamic inventory, or the run stops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests import servers
from tests.checkout import PROJECT, checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN, OTHER = "111111111111", "222222222222"
"""Accounts: the emulator takes an access key of twelve digits for its account."""
KEY = PROJECT / "tests/e2e/nobody.pub"


def run_instance(url: str, account: str, environment: str, profile: str | None = None, **more: str) -> str:
    """Run an app host without asking the playbooks, and return its id.

    Args:
        url: Of the emulator.
        account: Its account.
        environment: Of its stack.
        profile: Its instance profile, otherwise the stack's; empty for none.
        more: Tags in place of the stack's.
    """
    client = boto3.client(
        "ec2",
        endpoint_url=url,
        region_name=servers.REGION,
        aws_access_key_id=account,
        aws_secret_access_key=servers.SECRET,
    )
    stack = f"csv-to-aurora-{environment}"
    tags = {"Project": "csv-to-aurora", "Environment": environment, "Role": "app_host", "Name": f"{stack}-app"} | more
    name = f"{stack}-app" if profile is None else profile
    made = client.run_instances(
        ImageId=client.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        **({"IamInstanceProfile": {"Name": name}} if name else {}),
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return str(made["Instances"][0]["InstanceId"])


class Account:
    """An emulated AWS with the app host of dev in one of two accounts, and a checkout to run playbooks from."""

    def __init__(self, folder: Path, url: str) -> None:
        """Write the AWS configuration: the profile C(work), and another account as the default."""
        self.folder, self.url = folder, url
        self.project = checkout(folder / "project")
        self.instance = run_instance(url, OWN, "dev")
        self.known_hosts = folder / "known_hosts"
        self.know(self.instance)
        settings = f"region = eu-west-1\nendpoint_url = {url}\naws_secret_access_key = {servers.SECRET}\n"
        profiles = {"default": OTHER, "profile work": OWN}
        keys = "".join(f"[{name}]\n{settings}aws_access_key_id = {own}\n" for name, own in profiles.items())
        (folder / "config").write_text(keys)

    def plan(
        self,
        *arguments: str,
        inventory: str = "inventories/dev",
        environment: dict[str, str] | None = None,
        **variables: Any,
    ) -> tuple[int, str]:
        """Plan the part of configure.yml that needs no SSH; return the exit code and the output."""
        given = {
            "aws_account_id": OWN,
            "ssh_public_key_file": str(KEY),
            "ssh_known_hosts_file": str(self.known_hosts),
            **variables,
        }
        command = ["ansible-playbook", "playbooks/configure.yml", "--check", "--tags=none", "-i", inventory]
        done = self.run(*command, "-e", json.dumps(given), *arguments, environment=environment)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def know(self, instance: str) -> None:
        """Record a host key of an instance, which has no console here to print one on."""
        with self.known_hosts.open("a") as file:
            file.write(f"{instance} {KEY.read_text()}")

    def hosts(self, environment: dict[str, str], **variables: Any) -> list[str]:
        """Return the app hosts in the inventory of dev."""
        command = ["ansible-inventory", "--list", "-i", "inventories/dev", "-e", json.dumps(variables)]
        found = json.loads(self.run(*command, environment=environment).stdout)
        return list(found["app_hosts"].get("hosts", []))

    def run(
        self, program: str, *arguments: str, environment: dict[str, str] | None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of Ansible in the checkout, with the AWS configuration of the test."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        return subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=self.project,
            env=kept
            | {"AWS_CONFIG_FILE": str(self.folder / "config"), "AWS_EC2_METADATA_DISABLED": "true"}
            | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An emulator and a checkout for all tests of this file."""
    folder = tmp_path_factory.mktemp("identity")
    with servers.ministack(folder) as url:
        yield Account(folder, url)


@pytest.fixture
def dynamic_inventory(account: Account) -> Iterator[Path]:
    """The file of the dynamic inventory, to be changed by a test."""
    path = account.project / "inventories/dev/aws_ec2.yml"
    text = path.read_text()
    yield path
    path.write_text(text)


KEYS = {"AWS_ACCESS_KEY_ID": OWN, "AWS_SECRET_ACCESS_KEY": servers.SECRET, "AWS_SESSION_TOKEN": "any"}


@pytest.mark.parametrize(
    ("profile", "environment"),
    [
        ("work", {}),
        ("", {"AWS_PROFILE": "work"}),
        ("", KEYS),
        # The AWS SDK prefers exported keys to AWS_PROFILE, and a profile that is named to both.
        ("", KEYS | {"AWS_PROFILE": "default"}),
        ("work", {"AWS_ACCESS_KEY_ID": OTHER, "AWS_SECRET_ACCESS_KEY": "any", "AWS_PROFILE": "default"}),
    ],
    ids=["aws_profile", "AWS_PROFILE", "keys", "keys-and-AWS_PROFILE", "all-at-once"],
)
def test_one_setting_reaches_modules_and_inventory(account: Account, profile: str, environment: dict[str, str]) -> None:
    given = environment | ({"AWS_ENDPOINT_URL": account.url} if "AWS_ACCESS_KEY_ID" in environment else {})
    assert account.hosts(given, aws_profile=profile) == [account.instance]
    code, output = account.plan(environment=given, aws_profile=profile)
    assert code == 0, output


def test_a_profile_in_the_variables_of_an_environment_is_enough(account: Account) -> None:
    variables = account.project / "inventories/dev/group_vars/all/main.yml"
    text = variables.read_text()
    variables.write_text(f"{text}aws_profile: \"{{{{ ['wo', 'rk'] | join }}}}\"\n")
    try:
        code, output = account.plan()
    finally:
        variables.write_text(text)
    assert code == 0, output


def test_the_local_cloud_s_profile_in_the_shell_does_not_matter(account: Account) -> None:
    port = int(account.url.rpartition(":")[2])
    number = f"{port - 4566:012d}"
    account.know(run_instance(account.url, number, "local"))
    cloud = account.folder / "cloud"
    (cloud / "aws").mkdir(parents=True)
    key = f"aws_access_key_id = {number}\naws_secret_access_key = {servers.SECRET}\n"
    (cloud / "aws/credentials").write_text(f"[local]\n{key}")
    (cloud / "aws/config").write_text(f"[profile local]\nregion = eu-west-1\nendpoint_url = {account.url}\n")
    code, output = account.plan(
        inventory="inventories/local",
        environment={
            "LOCAL_CLOUD_DIR": str(cloud),
            "LOCAL_CLOUD_PORT": str(port),
            "AWS_PROFILE": "local",
            "AWS_CONFIG_FILE": f"{cloud}/aws/config",
            "AWS_SHARED_CREDENTIALS_FILE": f"{cloud}/aws/credentials",
        },
        aws_account_id=number,
    )
    assert code == 0, output
    assert "found no host" not in output


def test_an_inventory_that_cannot_ask_is_an_error_of_a_plan(account: Account, dynamic_inventory: Path) -> None:
    text = dynamic_inventory.read_text()
    dynamic_inventory.write_text(text.replace("{{ aws_connection.profile | default('') }}", "nobody"))
    code, output = account.plan(aws_profile="work")
    assert code == 2
    assert "The dynamic inventory inventories/dev/aws_ec2.yml could not ask AWS" in output
    assert "The config profile (nobody) could not be found" in output


def test_an_inventory_of_another_account_is_an_error_of_a_plan(account: Account, dynamic_inventory: Path) -> None:
    text = dynamic_inventory.read_text()
    dynamic_inventory.write_text(text.replace("{{ aws_connection.profile | default('') }}", "default"))
    code, output = account.plan(aws_profile="work")
    assert code == 2
    assert f"The app host {account.instance} runs, but the inventory does not have it" in output
    assert "cp inventories/dev/aws_ec2.yml inventories/dev/" in output


def test_a_file_of_the_inventory_in_place_of_its_folder_is_an_error_of_a_plan(account: Account) -> None:
    code, output = account.plan(inventory="inventories/dev/hosts.yml", aws_profile="work")
    assert code == 2
    assert f"The app host {account.instance} runs" in output
    assert "Name the whole folder: -i inventories/dev" in output


def test_the_plugin_that_knows_no_variables_is_refused(account: Account, dynamic_inventory: Path) -> None:
    dynamic_inventory.write_text("plugin: amazon.aws.aws_ec2\nregions: [eu-west-1]\n")
    code, output = account.plan(aws_profile="work")
    assert code == 2
    assert "aws_ec2.yml has to use the plugin csv_to_aurora.aws.aws_ec2, not amazon.aws.aws_ec2" in output


def test_an_instance_whose_role_or_name_was_changed_by_hand_is_still_in_the_inventory(account: Account) -> None:
    client = boto3.client(
        "ec2",
        endpoint_url=account.url,
        region_name=servers.REGION,
        aws_access_key_id=OWN,
        aws_secret_access_key=servers.SECRET,
    )
    for key, value in (("Role", "app_host"), ("Name", "csv-to-aurora-dev-app")):
        client.delete_tags(Resources=[account.instance], Tags=[{"Key": key}])
        code, output = account.plan(aws_profile="work")
        client.create_tags(Resources=[account.instance], Tags=[{"Key": key, "Value": value}])
        assert code == 0, output


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AWS_PROFILE": "ghost"}, "There is no AWS profile of that name: `aws configure list-profiles` prints"),
        ({"AWS_ACCESS_KEY_ID": OWN}, "Half of the AWS credentials are missing."),
        ({"AWS_PROFILE": "process"}, "The credential_process of the profile in ~/.aws/config fails."),
        ({"AWS_PROFILE": "mfa"}, "The AWS profile mfa asks for an MFA code, which a task cannot ask for."),
        ({"AWS_PROFILE": "sso"}, "The AWS session has expired. Log in again (aws sso login)"),
        ({"AWS_PROFILE": "tls"}, "The certificate of AWS does not verify, as where a company's proxy opens TLS."),
        ({"AWS_PROFILE": "tls", "AWS_CA_BUNDLE": "/nowhere"}, "AWS_CA_BUNDLE of your shell has to name a file"),
        ({"AWS_PROFILE": "work", "HTTP_PROXY": "http://127.0.0.1:1"}, "The proxy in HTTPS_PROXY or HTTP_PROXY"),
    ],
    ids=["no-such-profile", "half", "process", "mfa", "sso", "tls", "ca-bundle", "proxy"],
)
def test_credentials_that_do_not_work_stop_with_what_to_do(
    account: Account, environment: dict[str, str], said: str
) -> None:
    config = (account.folder / "config").read_text()
    mfa = f"role_arn = arn:aws:iam::{OWN}:role/x\nsource_profile = work\nmfa_serial = arn:aws:iam::{OWN}:mfa/me\n"
    sso = f"sso_start_url = https://example.com\nsso_region = eu-west-1\nsso_account_id = {OWN}\nsso_role_name = x\n"
    tls = f"endpoint_url = https{account.url.removeprefix('http')}\naws_access_key_id = x\naws_secret_access_key = x"
    (account.folder / "more").write_text(
        f"{config}[profile process]\ncredential_process = /bin/false\n[profile mfa]\n{mfa}[profile sso]\n{sso}"
        f"[profile tls]\n{tls}\n"
    )
    given = {"AWS_CONFIG_FILE": str(account.folder / "more"), **environment}
    code, output = account.plan(environment=given)
    assert code == 2
    assert said in output
