# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the modules for CloudWatch dashboards share."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

# The protocols of CloudWatch (query, JSON, CBOR) have different codes for the same error.
NO_DASHBOARD = ["ResourceNotFound", "DashboardNotFoundError"]


def dashboard(client: Any, name: str) -> dict[str, Any]:
    """Return a dashboard, empty where there is none.

    Returns:
        ``name``, ``arn`` and ``body``, parsed; a body that is no JSON, which CloudWatch takes from nobody, is the text.
    """
    try:
        found = client.get_dashboard(aws_retry=True, DashboardName=name)
    except is_boto3_error_code(NO_DASHBOARD):
        return {}
    text = found["DashboardBody"]
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    return {"name": name, "arn": found["DashboardArn"], "body": body}
