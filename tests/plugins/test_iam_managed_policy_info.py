"""The module that reads a managed policy, which exists, does not, or may not be read."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from emulated_cloud import Cloud
from scripted_aws import Answer, scripted_aws
from strict.calls import Call, Refusal

MODULE = "iam_managed_policy_info"
ARN = "arn:aws:iam::123456789012:policy/teams/customers-boundary"
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a b/*"}],
}


@pytest.mark.parametrize("check", [False, True])
def test_the_document_of_a_policy_is_read(cloud: Cloud, *, check: bool) -> None:
    name = f"boundary-{uuid4().hex[:8]}"
    arn = cloud.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(DOCUMENT))["Policy"]["Arn"]
    result = cloud.run(MODULE, check=check, arn=arn)
    assert result["changed"] is False
    assert result["policy"] == {"name": name, "arn": arn, "default_version_id": "v1", "document": DOCUMENT}


def test_a_policy_that_does_not_exist_is_none(cloud: Cloud) -> None:
    assert cloud.run(MODULE, arn="arn:aws:iam::000000000000:policy/nothing")["policy"] is None


def test_the_default_version_is_the_one_that_is_read(moto: Cloud) -> None:
    iam, newer = moto.client("iam"), json.loads(json.dumps(DOCUMENT).replace("Read", "ReadMore"))
    created = iam.create_policy(PolicyName=f"boundary-{uuid4().hex[:8]}", PolicyDocument=json.dumps(DOCUMENT))
    arn = created["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(newer), SetAsDefault=False)
    assert moto.run(MODULE, arn=arn)["policy"]["document"] == DOCUMENT
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    found = moto.run(MODULE, arn=arn)["policy"]
    assert (found["default_version_id"], found["document"]) == ("v2", newer)


POLICY = {"Policy": {"PolicyName": "customers-boundary", "Arn": ARN, "DefaultVersionId": "v3"}}


# An error of all services, which is in no service's model.
@pytest.mark.filterwarnings("ignore:.*with code AccessDenied does not match an error shape:UserWarning")
@pytest.mark.parametrize("denied", ["GetPolicy", "GetPolicyVersion"])
def test_who_may_not_read_it_is_told_which_permissions_it_takes(denied: str) -> None:
    def answer(call: Call) -> Answer:
        return Refusal("AccessDenied", "not authorized", 403) if call.operation == denied else POLICY

    with scripted_aws(answer) as aws:
        message = aws.run.failure(MODULE, arn=ARN)
    assert message == (
        f"Cannot read the managed policy {ARN}: AccessDenied: not authorized. Check its ARN, and that iam:GetPolicy "
        "and iam:GetPolicyVersion are allowed on it."
    )


def test_a_policy_that_is_deleted_meanwhile_is_none() -> None:
    def answer(call: Call) -> Answer:
        return POLICY if call.operation == "GetPolicy" else Refusal("NoSuchEntity", "gone", 404)

    with scripted_aws(answer) as aws:
        asked: dict[str, Any] = {"arn": ARN}
        assert aws.run(MODULE, **asked)["policy"] is None
        assert aws.called("GetPolicyVersion") == [{"PolicyArn": ARN, "VersionId": "v3"}]


def test_a_connection_that_is_cut_is_said_in_one_sentence() -> None:
    """The SDK's error of a connection has an answer, as one of a service has, which is none."""

    def answer(call: Call) -> Answer:
        raise ConnectionAbortedError(call.operation)

    with scripted_aws(answer) as aws:
        message = aws.run.failure(MODULE, arn=ARN)
    assert message.startswith(f"Cannot read the managed policy {ARN}: Connection was closed before we received")
