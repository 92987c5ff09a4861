# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A lock that is a parameter in SSM Parameter Store: AWS refuses to create one that exists, atomically."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code


def held(client: Any, name: str) -> dict[str, Any] | None:
    """Return a lock; None when it is not held.

    Args:
        client: A boto3 client for SSM.
        name: Name of the parameter.

    Raises:
        ValueError: The parameter exists and is no lock.
    """
    try:
        value = client.get_parameter(Name=name)["Parameter"]["Value"]
    except is_boto3_error_code("ParameterNotFound"):
        return None
    lock = json.loads(value)
    if not isinstance(lock, dict) or "id" not in lock:
        raise ValueError(value)
    return lock


def release(client: Any, name: str, lock_id: str) -> bool:
    """Release a lock if it has that id, and return whether it had.

    Args:
        client: A boto3 client for SSM.
        name: Name of the parameter.
        lock_id: The lock's id.

    Raises:
        ValueError: The parameter exists and is no lock.
    """
    lock = held(client, name)
    if lock is None or lock["id"] != lock_id:
        return False
    try:
        client.delete_parameter(Name=name)
    except is_boto3_error_code("ParameterNotFound"):
        return False
    return True
