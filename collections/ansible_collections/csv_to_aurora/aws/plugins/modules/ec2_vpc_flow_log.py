#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ec2_vpc_flow_log
version_added: 1.0.0
short_description: Manage a flow log of a VPC, subnet or network interface
description:
  - Creates, replaces and deletes one flow log.
  - AWS cannot change a flow log but for its tags, so a differing setting means that the flow log is deleted and
    recreated. Traffic of the seconds in between is not logged.
  - A resource may have several flow logs, also of other owners. The module manages the one with the same
    O(destination); without such a one, the one that carries all of O(tags). It leaves all others as they are.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  resource_id:
    description:
      - Id of the VPC, subnet or network interface whose traffic is logged.
      - In check mode it may be the id of something that does not exist yet.
    type: str
    required: true
    aliases: ['vpc_id']
  resource_type:
    description:
      - What O(resource_id) is.
    type: str
    choices: ['VPC', 'Subnet', 'NetworkInterface']
    default: VPC
  traffic_type:
    description:
      - Which traffic to log.
    type: str
    choices: ['ACCEPT', 'REJECT', 'ALL']
    default: ALL
  destination:
    description:
      - Where to send the records. The name or ARN of a CloudWatch log group, or the ARN of an S3 bucket (and a folder
        in it) or of a Firehose delivery stream.
      - Required when O(state=present). With O(state=absent), only the flow log with this destination is deleted.
    type: str
  iam_role_arn:
    description:
      - ARN of the role with which AWS writes to the log group. Required for a log group.
    type: str
    aliases: ['deliver_logs_permission_arn']
  max_aggregation_interval:
    description:
      - Over how many seconds the packets of a flow are aggregated into a record. The default of AWS is 600.
    type: int
    choices: [60, 600]
  log_format:
    description:
      - The fields of a record, such as V(${version} ${srcaddr} ${dstaddr} ${action}).
      - Not given, the format stays as it is, and a new flow log has the default format of AWS.
    type: str
  state:
    description:
      - V(present) creates or updates the flow log.
      - V(absent) deletes it. Either O(destination) or O(tags) is required to identify it.
    type: str
    choices: ['present', 'absent']
    default: present
notes:
  - "Why this module: no module of amazon.aws or community.aws manages flow logs (CreateFlowLogs, DescribeFlowLogs,
    DeleteFlowLogs). It could go to amazon.aws as it is."
  - The module waits up to a minute for the permissions of a new role.
  - In check mode it only reads, and RV(current) is the flow log that exists.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Log all traffic of a VPC to a log group
  csv_to_aurora.aws.ec2_vpc_flow_log:
    resource_id: vpc-0123456789abcdef0
    destination: /vpc/example
    iam_role_arn: arn:aws:iam::123456789012:role/flow-logs
    max_aggregation_interval: 60
    tags:
      Project: example

- name: Log refused traffic of a VPC to a bucket
  csv_to_aurora.aws.ec2_vpc_flow_log:
    resource_id: vpc-0123456789abcdef0
    traffic_type: REJECT
    destination: arn:aws:s3:::example-logs/flow

- name: Delete the flow logs with the project's tags
  csv_to_aurora.aws.ec2_vpc_flow_log:
    resource_id: vpc-0123456789abcdef0
    state: absent
    tags:
      Project: example

- name: Gather information about the flow logs with the project's tags
  csv_to_aurora.aws.ec2_vpc_flow_log:
    resource_id: vpc-0123456789abcdef0
    state: absent
    tags:
      Project: example
  check_mode: true
  register: flow_log_info
"""

RETURN = r"""
current:
  description:
    - The flow logs that the options identify, as found before any change; none where the resource does not exist.
    - Usually one. With O(state=absent) and O(tags) there may be several.
  returned: success
  type: list
  elements: dict
  contains:
    flow_log_id:
      description: Id of the flow log.
      type: str
      returned: always
      sample: fl-0123456789abcdef0
    resource_id:
      description: Id of what is logged.
      type: str
      returned: always
      sample: vpc-0123456789abcdef0
    traffic_type:
      description: Which traffic is logged.
      type: str
      returned: always
      sample: ALL
    destination:
      description: Name of the log group, or ARN of the bucket or delivery stream.
      type: str
      returned: always
      sample: /vpc/example
    iam_role_arn:
      description: ARN of the role that writes to the log group.
      type: str
      returned: when the API returns it
      sample: arn:aws:iam::123456789012:role/flow-logs
    max_aggregation_interval:
      description: Over how many seconds packets are aggregated.
      type: int
      returned: when the API returns it
      sample: 60
    log_format:
      description: The fields of a record.
      type: str
      returned: when the API returns it
      sample: ${version} ${srcaddr} ${dstaddr} ${action}
    tags:
      description: Tags of the flow log.
      type: dict
      returned: always
      sample: {"Project": "example"}
flow_log_id:
  description: Id of the flow log. Null when there is none, or in check mode when it would be created or replaced.
  returned: success
  type: str
  sample: fl-0123456789abcdef0
flow_log:
  description: The flow log's settings as they are now, or in check mode as they would be. Empty when there is none.
  returned: success
  type: dict
  sample:
    resource_id: vpc-0123456789abcdef0
    traffic_type: ALL
    destination: /vpc/example
    iam_role_arn: arn:aws:iam::123456789012:role/flow-logs
    max_aggregation_interval: 60
    tags:
      Project: example
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import ensure_ec2_tags
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    boto3_tag_list_to_ansible_dict,
    boto3_tag_specifications,
    compare_aws_tags,
)
from ansible_collections.amazon.aws.plugins.module_utils.transformation import ansible_dict_to_boto3_filter_list

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

FlowLog = dict[str, Any]


def destination_type(destination: str) -> str:
    """Return the API's name for the kind of destination that a name or ARN means."""
    service = destination.split(":")[2] if destination.startswith("arn:") else "logs"
    return {"s3": "s3", "firehose": "kinesis-data-firehose"}.get(service, "cloud-watch-logs")


def comparable(destination: str) -> str:
    """Return a destination as two of them can be compared: a log group by its name, a folder without its last slash."""
    if destination.startswith("arn:") and destination_type(destination) == "cloud-watch-logs":
        return destination.split(":", 6)[6].removesuffix(":*")
    return destination.removesuffix("/")


def from_api(flow_log: dict[str, Any]) -> FlowLog:
    """Return a described flow log under the module's own names, without what the API does not return."""
    settings = {
        "flow_log_id": flow_log["FlowLogId"],
        "resource_id": flow_log.get("ResourceId"),
        "traffic_type": flow_log.get("TrafficType"),
        "destination": comparable(flow_log.get("LogGroupName") or flow_log.get("LogDestination") or ""),
        "iam_role_arn": flow_log.get("DeliverLogsPermissionArn"),
        "max_aggregation_interval": flow_log.get("MaxAggregationInterval"),
        "log_format": flow_log.get("LogFormat"),
        "tags": boto3_tag_list_to_ansible_dict(flow_log.get("Tags", [])),
    }
    return {name: value for name, value in settings.items() if value is not None}


def flow_logs_of(module: AnsibleAWSModule, client: Any) -> list[FlowLog]:
    """Return every flow log of the resource; none when the resource does not exist."""
    resource_id = module.params["resource_id"]
    filters = ansible_dict_to_boto3_filter_list({"resource-id": resource_id})
    with explained(
        module,
        f"Cannot list the flow logs of {resource_id}",
        "Check the connection and that ec2:DescribeFlowLogs is allowed",
    ):
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = client.describe_flow_logs(aws_retry=True, Filters=filters, **token)
            found += page.get("FlowLogs", [])
            if not page.get("NextToken"):
                return [from_api(flow_log) for flow_log in found]
            token = {"NextToken": page["NextToken"]}


def identified(module: AnsibleAWSModule, flow_logs: list[FlowLog]) -> list[FlowLog]:
    """Return the flow logs that the options identify: those with the destination, else those with all the tags."""
    destination, tags = module.params["destination"], module.params["tags"]
    if destination:
        same = [flow_log for flow_log in flow_logs if flow_log["destination"] == comparable(destination)]
        if same or module.params["state"] == "absent":
            return same
    return [flow_log for flow_log in flow_logs if tags and tags.items() <= flow_log["tags"].items()]


def wanted_flow_log(module: AnsibleAWSModule, current: FlowLog | None) -> FlowLog:
    """Return the settings that the options ask for; those not given, or not returned by the API, stay as they are."""
    given = {
        name: module.params[name]
        for name in ("resource_id", "traffic_type", "iam_role_arn", "max_aggregation_interval", "log_format")
        if module.params[name] is not None and (current is None or name in current)
    }
    given["destination"] = comparable(module.params["destination"])
    tags = dict(current["tags"]) if current else {}
    if module.params["tags"] is not None:
        to_set, to_unset = compare_aws_tags(tags, module.params["tags"], module.params["purge_tags"])
        tags = {name: value for name, value in tags.items() if name not in to_unset} | to_set
    return {**(current or {}), **given, "tags": tags}


def error_text(refused: dict[str, Any]) -> str:
    """Return the code and message of an item that a request could not create or delete, without a full stop."""
    error = refused["Error"]
    return ": ".join(str(error[key]) for key in ("Code", "Message") if error.get(key)).rstrip(".")


def create(module: AnsibleAWSModule, client: Any, wanted: FlowLog) -> str:
    """Create the flow log and return its id."""
    params = module.params
    request: dict[str, Any] = {
        "ResourceIds": [params["resource_id"]],
        "ResourceType": params["resource_type"],
        "TrafficType": params["traffic_type"],
        "LogDestinationType": destination_type(params["destination"]),
    }
    # A name can only be given as the one, an ARN (which may be another account's) only as the other.
    if params["destination"].startswith("arn:"):
        request["LogDestination"] = params["destination"].removesuffix(":*")
    else:
        request["LogGroupName"] = params["destination"]
    # A setting that is not given stays as the replaced flow log had it.
    for name, parameter in (
        ("iam_role_arn", "DeliverLogsPermissionArn"),
        ("max_aggregation_interval", "MaxAggregationInterval"),
        ("log_format", "LogFormat"),
    ):
        value = params[name] if params[name] is not None else wanted.get(name)
        if value is not None:
            request[parameter] = value
    if wanted["tags"]:
        request["TagSpecifications"] = boto3_tag_specifications(wanted["tags"], types="vpc-flow-log")

    failure = f"Cannot create the flow log of {params['resource_id']}"
    with explained(
        module,
        failure,
        "Check that the resource, the destination and the role exist "
        "and that vpc-flow-logs.amazonaws.com may assume the role",
    ):
        response = client.create_flow_logs(aws_retry=True, **request)
    for refused in response.get("Unsuccessful", []):
        # Nothing is raised for a destination that AWS cannot write to: only the response has the error.
        module.fail_json(
            msg=f"{failure}: {error_text(refused)}. "
            "Check that the destination exists and that the role may write to it."
        )
    return str(response["FlowLogIds"][0])


def delete(module: AnsibleAWSModule, client: Any, flow_log_ids: list[str]) -> None:
    """Delete flow logs; those that are already gone are no error."""
    with explained(
        module,
        f"Cannot delete flow log {', '.join(flow_log_ids)}",
        "Check that ec2:DeleteFlowLogs is allowed",
    ):
        try:
            response = client.delete_flow_logs(aws_retry=True, FlowLogIds=flow_log_ids)
        except is_boto3_error_code("InvalidFlowLogId.NotFound"):
            return
    for refused in response.get("Unsuccessful", []):
        if refused["Error"].get("Code") != "InvalidFlowLogId.NotFound":
            module.fail_json(
                msg=f"Cannot delete flow log {refused['ResourceId']}: {error_text(refused)}. "
                "Check that ec2:DeleteFlowLogs is allowed."
            )


def ensure_absent(module: AnsibleAWSModule, client: Any, matches: list[FlowLog]) -> None:
    """Delete what the options identify, and end the module."""
    ids = [flow_log["flow_log_id"] for flow_log in matches]
    if ids and not module.check_mode:
        delete(module, client, ids)
    before = matches[0] if len(matches) == 1 else {flow_log["flow_log_id"]: flow_log for flow_log in matches}
    subject = f"flow log of {module.params['resource_id']}"
    exit_with(module, subject, before, {}, current=matches, flow_log_id=None, flow_log={})


def ensure_present(module: AnsibleAWSModule, client: Any, matches: list[FlowLog]) -> None:
    """Create, replace or tag the flow log, and end the module."""
    if len(matches) > 1:
        ids = ", ".join(flow_log["flow_log_id"] for flow_log in matches)
        module.fail_json(
            msg=f"Several flow logs of {module.params['resource_id']} carry these tags: {ids}. "
            "Give tags that only one of them has, or delete the others with state=absent and their destination."
        )
    current = matches[0] if matches else None
    before = current or {}
    after = wanted_flow_log(module, current)
    replace = current is None or {**before, "tags": {}} != {**after, "tags": {}}
    if replace:
        after.pop("flow_log_id", None)

    if before != after and not module.check_mode:
        if replace:
            if current:
                delete(module, client, [current["flow_log_id"]])
            flow_log_id = create(module, client, after)
            after["flow_log_id"] = flow_log_id
        # After a creation this only reads: AWS has set the tags already, not every endpoint does.
        ensure_ec2_tags(
            client,
            module,
            after["flow_log_id"],
            resource_type="vpc-flow-log",
            tags=after["tags"],
            retry_codes=["InvalidFlowLogId.NotFound"],
        )

    exit_with(
        module,
        f"flow log of {module.params['resource_id']}",
        before,
        after,
        current=matches,
        flow_log_id=after.get("flow_log_id"),
        flow_log=after,
    )


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "resource_id": {"required": True, "aliases": ["vpc_id"]},
            "resource_type": {"choices": ["VPC", "Subnet", "NetworkInterface"], "default": "VPC"},
            "traffic_type": {"choices": ["ACCEPT", "REJECT", "ALL"], "default": "ALL"},
            "destination": {},
            "iam_role_arn": {"aliases": ["deliver_logs_permission_arn"]},
            "max_aggregation_interval": {"type": "int", "choices": [60, 600]},
            "log_format": {},
            "tags": {"type": "dict", "aliases": ["resource_tags"]},
            "purge_tags": {"type": "bool", "default": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        required_if=[
            ("state", "present", ["destination"]),
            ("state", "absent", ["destination", "tags"], True),
        ],
        supports_check_mode=True,
    )
    params = module.params
    if (
        params["state"] == "present"
        and destination_type(params["destination"]) == "cloud-watch-logs"
        and not params["iam_role_arn"]
    ):
        module.fail_json(
            msg=f"iam_role_arn is missing. Give the ARN of the role that writes to log group {params['destination']}."
        )
    client = module.client("ec2", retry_decorator=aws_retry())
    matches = identified(module, flow_logs_of(module, client))
    if params["state"] == "absent":
        ensure_absent(module, client, matches)
    else:
        ensure_present(module, client, matches)


if __name__ == "__main__":
    main()
