#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatchlogs_events_info
version_added: 1.0.0
short_description: Read the last events of a CloudWatch log group
description:
  - Reads the newest events of a log group, all its streams together, oldest first.
  - A log group that does not exist has no events.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  log_group_name:
    description:
      - Name of the log group.
    type: str
    required: true
  log_stream_name_prefix:
    description:
      - Read only the streams whose names begin like this.
    type: str
  filter_pattern:
    description:
      - Read only the events that match this CloudWatch filter pattern, such as V(ERROR) or V({ $.level = "ERROR" }).
    type: str
  start_time:
    description:
      - Read only events from this time on. An ISO 8601 time (UTC where it names no zone), or milliseconds since 1970.
      - By default one hour before now. An early time makes a busy log group slow to read, because AWS returns the
        oldest events first.
    type: str
  end_time:
    description:
      - Read only events before this time, in the forms of O(start_time). By default now.
    type: str
  limit:
    description:
      - How many events to return at most; the newest are kept.
    type: int
    default: 100
notes:
  - "Why this module: amazon.aws manages log groups, metric filters and their retention, and no module of amazon.aws or
    community.aws reads log events (FilterLogEvents, GetLogEvents). It could go to amazon.aws as it is, beside
    M(amazon.aws.cloudwatchlogs_log_group_info)."
seealso:
  - module: amazon.aws.cloudwatchlogs_log_group_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Read the last ten events of a function
  csv_to_aurora.aws.cloudwatchlogs_events_info:
    log_group_name: /aws/lambda/importer
    limit: 10
  register: log

- name: Read today's errors
  csv_to_aurora.aws.cloudwatchlogs_events_info:
    log_group_name: /aws/lambda/importer
    filter_pattern: '{ $.level = "ERROR" }'
    start_time: "2026-11-23T00:00:00Z"
  register: errors
"""

RETURN = r"""
events:
  description: The events, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    timestamp:
      description: When it happened, in milliseconds since 1970.
      type: int
      returned: always
      sample: 1795392000000
    time:
      description: The same as an ISO 8601 time in UTC.
      type: str
      returned: always
      sample: "2026-11-23T00:00:00.000+00:00"
    message:
      description: The text of the event, without the newline at its end.
      type: str
      returned: always
      sample: "REPORT RequestId: 8f5…"
    log_stream_name:
      description: Name of the stream that it is in.
      type: str
      returned: always
      sample: "2026/11/23/[$LATEST]0f3a"
"""

import re
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained


def milliseconds(text: str) -> int:
    """Return a time as milliseconds since 1970.

    Raises:
        ValueError: The text is neither a number nor an ISO 8601 time.
    """
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def time_option(module: AnsibleAWSModule, name: str) -> int | None:
    """Return a time option as milliseconds since 1970; fail with the forms that it may have."""
    text = module.params[name]
    try:
        return milliseconds(text) if text else None
    except ValueError:
        module.fail_json(
            msg=f"{name} is {text!r}. Give an ISO 8601 time such as 2026-11-23T08:00:00Z, or milliseconds since 1970."
        )
        raise  # never reached: fail_json ends the module


def described(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event under the module's own names."""
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, tz=UTC)
    return {
        "timestamp": event["timestamp"],
        "time": moment.isoformat(timespec="milliseconds"),
        "message": event["message"].rstrip("\n"),
        "log_stream_name": event["logStreamName"],
    }


def request_for(params: dict[str, Any], start: int | None, end: int | None) -> dict[str, Any]:
    """Return the request parameters for the options and the two times in milliseconds; an hour by default."""
    hour_ago = int((datetime.now(tz=UTC) - timedelta(hours=1)).timestamp() * 1000)
    request: dict[str, Any] = {
        "logGroupName": params["log_group_name"],
        "startTime": hour_ago if start is None else start,
        "endTime": end,
        "filterPattern": params["filter_pattern"],
        "logStreamNamePrefix": params["log_stream_name_prefix"],
    }
    return {name: value for name, value in request.items() if value is not None}


def last_events(client: Any, request: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return the newest events that match, oldest first; none when the log group does not exist."""
    newest: deque[dict[str, Any]] = deque(maxlen=limit)
    token: dict[str, str] = {}
    while True:
        try:
            page = client.filter_log_events(aws_retry=True, **request, **token)
        except is_boto3_error_code("ResourceNotFoundException"):
            return []
        newest.extend(page.get("events", []))
        if not page.get("nextToken"):
            return list(newest)
        token = {"nextToken": page["nextToken"]}


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "log_group_name": {"required": True},
            "log_stream_name_prefix": {},
            "filter_pattern": {},
            "start_time": {},
            "end_time": {},
            "limit": {"type": "int", "default": 100},
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["limit"] < 1:
        module.fail_json(msg=f"limit is {params['limit']}. Give 1 or more.")
    start, end = time_option(module, "start_time"), time_option(module, "end_time")
    request = request_for(params, start, end)
    client = module.client("logs", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot read log group {params['log_group_name']}",
        "Check the filter pattern and that logs:FilterLogEvents is allowed",
    ):
        events = last_events(client, request, params["limit"])
    module.exit_json(changed=False, events=[described(event) for event in events])


if __name__ == "__main__":
    main()
