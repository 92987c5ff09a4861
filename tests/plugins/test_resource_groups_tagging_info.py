"""The module that lists the resources with given tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.modules.resource_groups_tagging_info import tagged_resources


@pytest.fixture
def project(cloud: Cloud) -> Iterator[str]:
    """The value of the tag Project on a queue of the environment dev and a topic of stage."""
    name = uuid4().hex[:8]
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName=name, tags={"Project": name, "Environment": "dev", "Owner": "me"})["QueueUrl"]
    tags = [{"Key": "Project", "Value": name}, {"Key": "Environment", "Value": "stage"}]
    topic = sns.create_topic(Name=name, Tags=tags)["TopicArn"]
    yield name
    sqs.delete_queue(QueueUrl=url)
    sns.delete_topic(TopicArn=topic)


def names(cloud: Cloud, **options: Any) -> list[str]:
    """Return the services of the resources that the module lists."""
    result = cloud.run("resource_groups_tagging_info", **options)
    assert not result["changed"]
    return [resource["arn"].split(":")[2] for resource in result["resources"]]


def test_all_given_tags_must_match(cloud: Cloud, project: str) -> None:
    result = cloud.run("resource_groups_tagging_info", check=True, tag_filters={"Project": project})
    assert [resource["arn"].split(":")[2] for resource in result["resources"]] == ["sns", "sqs"]
    assert result["resources"][1]["tags"] == {"Project": project, "Environment": "dev", "Owner": "me"}
    assert names(cloud, tag_filters={"Project": project, "Environment": "stage"}) == ["sns"]
    assert names(cloud, tag_filters={"Project": project, "Environment": ["dev", "stage"]}) == ["sns", "sqs"]
    assert names(cloud, tag_filters={"Project": project, "Owner": []}) == ["sqs"]
    assert names(cloud, tag_filters={"Project": "nobody"}) == []


def test_resource_types(cloud: Cloud, project: str) -> None:
    assert names(cloud, tag_filters={"Project": project}, resource_types=["sqs"]) == ["sqs"]


def test_every_page_is_read() -> None:
    client = boto3.client(
        "resourcegroupstaggingapi", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    mapping = {name: [{"ResourceARN": f"arn:aws:s3:::{name}", "Tags": []}] for name in ("bucket-b", "bucket-a")}
    with Stubber(client) as stub:
        stub.add_response(
            "get_resources", {"ResourceTagMappingList": mapping["bucket-b"], "PaginationToken": "2"}, {"TagFilters": []}
        )
        stub.add_response(
            "get_resources",
            {"ResourceTagMappingList": mapping["bucket-a"], "PaginationToken": ""},
            {"TagFilters": [], "PaginationToken": "2"},
        )
        found = tagged_resources(RetryingBotoClientWrapper(client, aws_retry()), {"TagFilters": []})
        stub.assert_no_pending_responses()
    assert [resource["arn"] for resource in found] == ["arn:aws:s3:::bucket-a", "arn:aws:s3:::bucket-b"]
