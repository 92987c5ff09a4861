"""The permissions boundary of a stack, which an administrator of the account creates before the first run."""

from __future__ import annotations

import json
from typing import Any

import permissions

from tests import servers

ACCOUNT = "000000000000"


def boundary_document(stack: str, account: str = ACCOUNT) -> dict[str, Any]:
    """Return the document of a stack's permissions boundary, as playbooks/permissions.yml writes it."""
    variables = {
        "aws_region": servers.REGION,
        "aws_account_id": account,
        "stack_name": stack,
        "bucket_name": f"{stack}-{account}",
        "stack_events_topic_arn": f"arn:aws:sns:{servers.REGION}:{account}:{stack}-events",
    }
    return {"Version": "2012-10-17", "Statement": permissions.document("boundary", variables)}


def create_boundary(iam: Any, stack: str, account: str = ACCOUNT) -> str:
    """Create the permissions boundary of a stack with a boto3 client, and return its ARN."""
    document = json.dumps(boundary_document(stack, account))
    return str(iam.create_policy(PolicyName=f"{stack}-boundary", PolicyDocument=document)["Policy"]["Arn"])
