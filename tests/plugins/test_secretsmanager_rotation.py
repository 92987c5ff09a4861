"""The stages of a secret's rotation."""

from __future__ import annotations

from uuid import uuid4

import pytest
from emulated_cloud import Cloud

MODULE = "secretsmanager_rotation"


@pytest.fixture
def secret(cloud: Cloud) -> str:
    """The name of a secret whose value is "old"."""
    name = f"secret/{uuid4().hex[:8]}"
    cloud.client("secretsmanager").create_secret(Name=name, SecretString="old")
    return name


def value(cloud: Cloud, secret: str, label: str = "AWSCURRENT") -> str:
    """Return the value of a staging label."""
    response = cloud.client("secretsmanager").get_secret_value(SecretId=secret, VersionStage=label)
    return str(response["SecretString"])


def test_a_rotation_goes_through_its_stages(cloud: Cloud, secret: str) -> None:
    pending = cloud.run(MODULE, name=secret, state="pending", value="new")
    assert pending["changed"]
    assert pending["stage"] == "pending"
    assert (value(cloud, secret), value(cloud, secret, "AWSPENDING")) == ("old", "new")

    current = cloud.run(MODULE, name=secret, state="current")
    assert current["changed"]
    assert current["version_id"] == pending["version_id"]
    assert (value(cloud, secret), value(cloud, secret, "AWSPREVIOUS")) == ("new", "old")

    finished = cloud.run(MODULE, name=secret, state="finished")
    assert finished["changed"]
    assert finished["stage"] == "none"
    assert value(cloud, secret) == "new"
    assert not cloud.run(MODULE, name=secret, state="finished")["changed"]


def test_an_interrupted_rotation_is_resumed_with_the_same_value(cloud: Cloud, secret: str) -> None:
    cloud.run(MODULE, name=secret, state="pending", value="new")
    again = cloud.run(MODULE, name=secret, state="pending", value="newer")
    assert not again["changed"]
    assert value(cloud, secret, "AWSPENDING") == "new"
    cloud.run(MODULE, name=secret, state="current")
    assert not cloud.run(MODULE, name=secret, state="pending", value="newer")["changed"]
    assert not cloud.run(MODULE, name=secret, state="current")["changed"]
    assert value(cloud, secret) == "new"


def test_check_mode_reports_the_change_and_writes_nothing(cloud: Cloud, secret: str) -> None:
    planned = cloud.run(MODULE, check=True, name=secret, state="pending", value="new")
    assert planned["changed"]
    versions = cloud.client("secretsmanager").describe_secret(SecretId=secret)["VersionIdsToStages"]
    assert list(versions.values()) == [["AWSCURRENT"]]


def test_steps_out_of_order_are_refused(cloud: Cloud, secret: str) -> None:
    assert "No rotation" in cloud.run.failure(MODULE, name=secret, state="current")
    cloud.run(MODULE, name=secret, state="pending", value="new")
    assert "is still AWSPENDING" in cloud.run.failure(MODULE, name=secret, state="finished")


def test_no_value_is_returned(cloud: Cloud, secret: str) -> None:
    result = cloud.run(MODULE, name=secret, state="pending", value="a-value-to-look-for")
    assert "a-value-to-look-for" not in str({key: said for key, said in result.items() if key != "invocation"})
