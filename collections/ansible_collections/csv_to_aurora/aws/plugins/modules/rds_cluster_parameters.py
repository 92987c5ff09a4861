#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rds_cluster_parameters
version_added: 1.0.0
short_description: Set parameters of a DB cluster parameter group by name and value
description:
  - Sets parameters of a DB cluster parameter group that exists. Parameters that are not named keep their values.
  - How a parameter is applied follows from its type, which RDS reports. A dynamic parameter takes effect at once, a
    static one when a DB instance is rebooted. This module reboots none.
  - What RDS would refuse is refused before the first change. That is a parameter that the group's family does not have
    or that cannot be modified, and a value that is not allowed.
  - In check mode a group that does not exist yet is one with the defaults of its family, and what would be refused is
    returned instead.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the DB cluster parameter group.
    type: str
    required: true
    aliases: ['db_cluster_parameter_group_name']
  family:
    description:
      - Family of the group, whose parameters are known also while there is no group.
    type: str
    required: true
    aliases: ['db_parameter_group_family']
  parameters:
    description:
      - Values of parameters by name. As in the RDS API, a value is a text.
    type: dict
    required: true
notes:
  - "Why this module: M(amazon.aws.rds_cluster_param_group) wants the apply method of each parameter, and RDS refuses
    all of them where one static parameter is to be applied immediately. Its info module can tell no parameters of a
    family without a group. What should go to amazon.aws is a default for the apply method."
  - RDS takes 20 parameters in one call. The parameters that differ are written in as many calls as that takes.
  - An endpoint without DescribeEngineDefaultClusterParameters, as an emulator may be, knows the parameters only once
    there is a group.
  - A value differs from another spelling of it no more than from itself, V(1) from V(1.0), and V(TLSv1.2,TLSv1.3) from
    V(TLSv1.3, TLSv1.2).
seealso:
  - module: amazon.aws.rds_cluster_param_group
  - module: amazon.aws.rds_cluster_param_group_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Require TLS 1.3
  csv_to_aurora.aws.rds_cluster_parameters:
    name: customers
    family: aurora-mysql8.0
    parameters:
      require_secure_transport: "ON"
      tls_version: TLSv1.3

- name: Read the parameters, and what RDS would say of the values
  csv_to_aurora.aws.rds_cluster_parameters:
    name: customers
    family: aurora-mysql8.0
    parameters: {tls_version: TLSv1.3}
  check_mode: true
  register: parameters
"""

RETURN = r"""
current:
  description:
    - Values of the named parameters before any change. A value that is the given one in another spelling is returned as
      given.
    - Null where the group does not exist. Without a parameter that has no value but the default of the engine.
  returned: success
  type: dict
  sample: {"require_secure_transport": "OFF", "tls_version": "TLSv1.2,TLSv1.3"}
static:
  description: Which of the named parameters take effect when a DB instance is rebooted.
  returned: success
  type: list
  elements: str
  sample: ["tls_version"]
refusals:
  description: Why RDS would refuse parameters, a sentence for each. Without check mode the module fails with them.
  returned: success
  type: list
  elements: str
  sample: ["The family aurora-mysql8.0 has no cluster parameter tls_versions."]
parameters:
  description: The named parameters as they are now, or in check mode as they would be.
  returned: success
  type: dict
  sample: {"require_secure_transport": "ON", "tls_version": "TLSv1.3"}
"""

import re
from itertools import batched
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import exit_with, explained

Parameter = dict[str, Any]

MOST = 20
"""Parameters in one call: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBClusterParameterGroup.html"""
NUMBER = r"-?\d+(?:\.\d+)?"


def parts_of(value: str) -> list[str]:
    """Return the elements of a value that is a list, in a fixed order; of any other the value alone."""
    return sorted(part.strip() for part in value.split(","))


def same(value: str, other: str) -> bool:
    """Return whether two values mean the same: equal texts, numbers, or lists in any order."""
    if re.fullmatch(NUMBER, value) and re.fullmatch(NUMBER, other):
        return float(value) == float(other)
    return parts_of(value) == parts_of(other)


def is_allowed(value: str, allowed: str) -> bool:
    """Return whether RDS takes a value.

    Args:
        value: The value; a list where the parameter is one.
        allowed: What RDS lists: values and ranges between commas such as ``0,1`` or ``1-65535``; empty for any.
    """
    choices = [choice.strip() for choice in allowed.split(",") if choice.strip()]
    # A formula: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
    if not choices or value in choices or "{" in value:
        return True
    ranges = [match for choice in choices if (match := re.fullmatch(f"({NUMBER})-({NUMBER})", choice))]
    return all(
        part in choices
        or (re.fullmatch(NUMBER, part) and any(float(one[1]) <= float(part) <= float(one[2]) for one in ranges))
        for part in parts_of(value)
    )


def refusal(name: str, value: str, family: str, known: Parameter | None) -> str:
    """Return why RDS would refuse a value; empty where it would not."""
    if known is None:
        return f"The family {family} has no cluster parameter {name}."
    if not known.get("IsModifiable", True):
        return f"The cluster parameter {name} of the family {family} cannot be modified."
    allowed = known.get("AllowedValues") or ""
    if not is_allowed(value, allowed):
        return f"The cluster parameter {name} cannot be {value}: {family} allows {allowed}."
    return ""


class Group:
    """The parameters of one group, read and written."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        """Take the group's name and family from the module's options."""
        self.module = module
        self.name: str = module.params["name"]
        self.family: str = module.params["family"]
        self.client: Any = module.client("rds", retry_decorator=AWSRetry.jittered_backoff(retries=10))

    def known(self) -> tuple[bool, dict[str, Parameter]]:
        """Return whether the group exists, and all parameters by name: the group's, or else those of the family."""
        with explained(
            self.module,
            f"Cannot read the parameters of DB cluster parameter group {self.name}",
            "Check the connection and that rds:DescribeDBClusterParameters and "
            "rds:DescribeEngineDefaultClusterParameters are allowed",
        ):
            try:
                # Without a source: what is set to its default would not be among those that a user has set.
                return True, self._pages("describe_db_cluster_parameters", DBClusterParameterGroupName=self.name)
            except is_boto3_error_code(["DBParameterGroupNotFound", "DBClusterParameterGroupNotFound"]):
                return False, self._of_family()

    def _of_family(self) -> dict[str, Parameter]:
        try:
            return self._pages("describe_engine_default_cluster_parameters", DBParameterGroupFamily=self.family)
        except is_boto3_error_code("InvalidAction"):
            return {}

    def _pages(self, operation: str, **arguments: str) -> dict[str, Parameter]:
        found: dict[str, Parameter] = {}
        while True:
            answer = getattr(self.client, operation)(aws_retry=True, **arguments)
            answer = answer.get("EngineDefaults", answer)
            found.update({one["ParameterName"]: one for one in answer.get("Parameters") or []})
            if not answer.get("Marker"):
                return found
            arguments["Marker"] = answer["Marker"]

    def write(self, values: dict[str, str], known: dict[str, Parameter]) -> None:
        """Set parameters, each with the apply method that its type takes."""
        wanted = [
            {
                "ParameterName": name,
                "ParameterValue": value,
                "ApplyMethod": "pending-reboot" if is_static(known[name]) else "immediate",
            }
            for name, value in values.items()
        ]
        with explained(
            self.module,
            f"Cannot set {', '.join(values)} in DB cluster parameter group {self.name}",
            "Check the values, and that rds:ModifyDBClusterParameterGroup is allowed",
        ):
            for some in batched(wanted, MOST):
                self.client.modify_db_cluster_parameter_group(
                    aws_retry=True, DBClusterParameterGroupName=self.name, Parameters=list(some)
                )


def is_static(known: Parameter) -> bool:
    """Return whether a parameter takes effect only when a DB instance is rebooted."""
    return str(known.get("ApplyType")) == "static"


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["db_cluster_parameter_group_name"]},
            "family": {"required": True, "aliases": ["db_parameter_group_family"]},
            "parameters": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    wanted = {str(name): str(value) for name, value in module.params["parameters"].items()}
    group = Group(module)
    exists, known = group.known()
    if not exists and not module.check_mode:
        module.fail_json(
            msg=f"There is no DB cluster parameter group {group.name} in this region. Create it first, or correct name."
        )
    checked = wanted if exists or known else {}
    refusals = [text for name in checked if (text := refusal(name, wanted[name], group.family, known.get(name)))]
    if refusals and not module.check_mode:
        module.fail_json(msg=" ".join(refusals))
    found = {name: known[name]["ParameterValue"] for name in wanted if "ParameterValue" in known.get(name, {})}
    before = {name: wanted[name] if same(value, wanted[name]) else value for name, value in found.items()}
    differing = {name: value for name, value in wanted.items() if before.get(name) != value}
    if differing and not module.check_mode:
        group.write(differing, known)
    current = before if exists else None
    exit_with(
        module,
        f"parameters of DB cluster parameter group {group.name}",
        current or {},
        wanted,
        current=current,
        static=sorted(name for name in wanted if name in known and is_static(known[name])),
        refusals=refusals,
        parameters=wanted,
    )


if __name__ == "__main__":
    main()
