#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lambda_versions_purge
version_added: 1.0.0
short_description: Delete the published versions of a function
description:
  - Deletes every published version of a function, and leaves the function (C($LATEST)) as it is.
  - A version that an alias refers to is kept, since AWS Lambda refuses to delete it.
  - A function that does not exist has no versions.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  function_name:
    description:
      - Name or ARN of the function, without a version or alias.
    type: str
    required: true
    aliases: ['name']
notes:
  - "Why this module: M(amazon.aws.lambda) publishes a version whenever it creates a function or changes its code, and
    no module of amazon.aws or community.aws deletes one. What should go to amazon.aws is an option of
    M(amazon.aws.lambda) not to publish; then this module is not needed."
  - A published version of a function in a VPC holds network interfaces, and with them subnets and security groups,
    until it is deleted, also after the function itself was detached.
  - A function that is still being created or updated refuses the deletion. The module waits up to a minute for it.
seealso:
  - module: amazon.aws.lambda
  - module: amazon.aws.lambda_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep no version but the function itself
  csv_to_aurora.aws.lambda_versions_purge:
    function_name: importer
"""

RETURN = r"""
versions:
  description: The versions that were deleted, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["1", "2"]
kept:
  description: The versions that an alias refers to.
  returned: success
  type: list
  elements: str
  sample: []
"""

from collections.abc import Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

NOT_FOUND = "ResourceNotFoundException"


def pages(operation: Any, key: str, name: str) -> Iterator[dict[str, Any]]:
    """Yield what an operation of Lambda lists about a function, from all pages."""
    marker: dict[str, str] = {}
    while True:
        page = operation(aws_retry=True, FunctionName=name, **marker)
        yield from page.get(key) or []
        if not page.get("NextMarker"):
            return
        marker = {"Marker": page["NextMarker"]}


def found(client: Any, name: str) -> tuple[list[str], list[str]]:
    """Return the published versions that no alias refers to, and those that one does."""
    try:
        versions = [one["Version"] for one in pages(client.list_versions_by_function, "Versions", name)]
        published = [version for version in versions if version != "$LATEST"]
        aliases = list(pages(client.list_aliases, "Aliases", name)) if published else []
    except is_boto3_error_code(NOT_FOUND):
        return [], []
    weights = [(alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {} for alias in aliases]
    used = {alias["FunctionVersion"] for alias in aliases}.union(*weights)
    return [one for one in published if one not in used], [one for one in published if one in used]


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={"function_name": {"required": True, "aliases": ["name"]}},
        supports_check_mode=True,
    )
    name = module.params["function_name"]
    client = module.client("lambda", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot read the versions of function {name}",
        "Check the connection and that lambda:ListVersionsByFunction and lambda:ListAliases are allowed",
    ):
        versions, kept = found(client, name)
    for version in [] if module.check_mode else versions:
        with explained(
            module,
            f"Cannot delete version {version} of function {name}",
            f"Check that lambda:DeleteFunction is allowed for {name}:{version}",
        ):
            try:
                client.delete_function(aws_retry=True, FunctionName=name, Qualifier=version)
            except is_boto3_error_code(NOT_FOUND):
                continue
    before = {"versions": [*versions, *kept]} if versions else {}
    after = {"versions": kept} if versions else {}
    exit_with(module, f"published versions of function {name}", before, after, versions=versions, kept=kept)


if __name__ == "__main__":
    main()
