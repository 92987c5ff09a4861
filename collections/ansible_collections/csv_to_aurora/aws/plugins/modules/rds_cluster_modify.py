#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rds_cluster_modify
version_added: 1.0.0
short_description: Modify the settings of a DB cluster that amazon.aws.rds_cluster can only set on creation
description:
  - Enables or disables IAM database authentication, sets the capacity range of Aurora Serverless v2, and the logs that
    are exported to CloudWatch Logs, of a DB cluster that exists.
  - In check mode, a cluster that does not exist yet is one whose settings would change.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  db_cluster_identifier:
    description:
      - Identifier of the DB cluster.
    type: str
    required: true
    aliases: ['cluster_id', 'id']
  enable_iam_database_authentication:
    description:
      - Whether database users can log in with an IAM authentication token. Not given, it stays as it is.
    type: bool
  serverless_v2_scaling_configuration:
    description:
      - Capacity range of the DB instances of class C(db.serverless). Not given, it stays as it is.
    type: dict
    suboptions:
      min_capacity:
        description: Minimum capacity in ACUs, in steps of 0.5.
        type: float
        required: true
      max_capacity:
        description: Maximum capacity in ACUs, in steps of 0.5.
        type: float
        required: true
  cloudwatch_logs_exports:
    description:
      - Names of the logs to export, such as V(audit) and V(error). Those that are not named are no longer exported. Not
        given, they stay as they are.
    type: list
    elements: str
notes:
  - "Why this module: M(amazon.aws.rds_cluster) compares each option with the field of the same name in the response of
    DescribeDBClusters, and ends with a C(KeyError) where there is none. The response calls
    C(EnableIAMDatabaseAuthentication) C(IAMDatabaseAuthenticationEnabled), and has no
    C(ServerlessV2ScalingConfiguration) while the cluster has no capacity range. It drops its
    C(enable_cloudwatch_logs_exports) before it compares. What should go to amazon.aws is a fix of that comparison; then
    this module is not needed."
  - A value that RDS has accepted and not applied yet (C(PendingModifiedValues)) is the cluster's.
  - A cluster that is being modified refuses the next change. The module retries for some minutes until it is available.
seealso:
  - module: amazon.aws.rds_cluster
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Enable IAM database authentication
  csv_to_aurora.aws.rds_cluster_modify:
    db_cluster_identifier: customers
    enable_iam_database_authentication: true
"""

RETURN = r"""
settings:
  description: The given settings as they are now, or in check mode as they would be.
  returned: success
  type: dict
  sample: {"enable_iam_database_authentication": true}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import exit_with, explained

Settings = dict[str, Any]


OPTIONS = ("enable_iam_database_authentication", "serverless_v2_scaling_configuration", "cloudwatch_logs_exports")
"""The settings that this module has."""


def from_api(cluster: dict[str, Any]) -> Settings:
    """Return the settings of a cluster's description under the module's own names."""
    pending = cluster.get("PendingModifiedValues") or {}
    scaling = cluster.get("ServerlessV2ScalingConfiguration") or {}
    exports = pending.get("PendingCloudwatchLogsExports") or {}
    exported = {*(cluster.get("EnabledCloudwatchLogsExports") or []), *(exports.get("LogTypesToEnable") or [])}
    current = {**cluster, **pending}
    return {
        "enable_iam_database_authentication": bool(current.get("IAMDatabaseAuthenticationEnabled")),
        "serverless_v2_scaling_configuration": {
            "min_capacity": scaling.get("MinCapacity"),
            "max_capacity": scaling.get("MaxCapacity"),
        },
        "cloudwatch_logs_exports": sorted(exported.difference(exports.get("LogTypesToDisable") or [])),
    }


def to_api(settings: Settings, current: Settings) -> dict[str, Any]:
    """Return the request parameters for settings under the module's own names, for a cluster that has ``current``."""
    parameters: dict[str, Any] = {}
    if "enable_iam_database_authentication" in settings:
        parameters["EnableIAMDatabaseAuthentication"] = settings["enable_iam_database_authentication"]
    if "serverless_v2_scaling_configuration" in settings:
        scaling = settings["serverless_v2_scaling_configuration"]
        parameters["ServerlessV2ScalingConfiguration"] = {
            "MinCapacity": scaling["min_capacity"],
            "MaxCapacity": scaling["max_capacity"],
        }
    if "cloudwatch_logs_exports" in settings:
        wanted, exported = set(settings["cloudwatch_logs_exports"]), set(current["cloudwatch_logs_exports"])
        parameters["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(wanted - exported),
            "DisableLogTypes": sorted(exported - wanted),
        }
    return parameters


def current_settings(module: AnsibleAWSModule, client: Any, name: str) -> Settings | None:
    """Return the cluster's settings; None when there is no such cluster."""
    with explained(
        module,
        f"Cannot describe DB cluster {name}",
        "Check the connection and that rds:DescribeDBClusters is allowed",
    ):
        try:
            return from_api(client.describe_db_clusters(aws_retry=True, DBClusterIdentifier=name)["DBClusters"][0])
        except is_boto3_error_code("DBClusterNotFoundFault"):
            return None


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "db_cluster_identifier": {"required": True, "aliases": ["cluster_id", "id"]},
            "enable_iam_database_authentication": {"type": "bool"},
            "serverless_v2_scaling_configuration": {
                "type": "dict",
                "options": {
                    "min_capacity": {"type": "float", "required": True},
                    "max_capacity": {"type": "float", "required": True},
                },
            },
            "cloudwatch_logs_exports": {"type": "list", "elements": "str"},
        },
        required_one_of=[OPTIONS],
        supports_check_mode=True,
    )
    name = module.params["db_cluster_identifier"].lower()
    wanted = {option: module.params[option] for option in OPTIONS if module.params[option] is not None}
    if "cloudwatch_logs_exports" in wanted:
        wanted["cloudwatch_logs_exports"] = sorted(set(wanted["cloudwatch_logs_exports"]))
    # A cluster that is being changed refuses the next change until it is available again.
    retry = AWSRetry.jittered_backoff(
        retries=20, delay=3, max_delay=30, catch_extra_error_codes=["InvalidDBClusterStateFault"]
    )
    client = module.client("rds", retry_decorator=retry)
    current = current_settings(module, client, name)
    if current is None:
        if not module.check_mode:
            module.fail_json(
                msg=f"There is no DB cluster {name} in this region. Create it first, or correct db_cluster_identifier."
            )
        current = {}
    before = {option: current[option] for option in wanted if option in current}
    changes = {option: value for option, value in wanted.items() if before.get(option) != value}
    if changes and not module.check_mode:
        with explained(
            module,
            f"Cannot modify {', '.join(changes)} of DB cluster {name}",
            "Check that rds:ModifyDBCluster is allowed and that the cluster is available",
        ):
            client.modify_db_cluster(
                aws_retry=True, DBClusterIdentifier=name, ApplyImmediately=True, **to_api(changes, current)
            )
    exit_with(module, f"settings of DB cluster {name}", before, wanted, settings=wanted)


if __name__ == "__main__":
    main()
