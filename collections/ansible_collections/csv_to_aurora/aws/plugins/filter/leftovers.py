# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: what a teardown has left, and what it keeps on purpose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: leftovers
short_description: What of the resources with a stack's tags is left, and what is kept on purpose
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Takes the C(resources) that M(csv_to_aurora.aws.resource_groups_tagging_info) returned with O(states).
  - Resources that their service does not know any more are left out, and so are automated DB cluster snapshots, which
    AWS deletes by itself.
  - Other DB cluster snapshots are kept, such as the final one. Secrets are kept to the end of their recovery window.
options:
  _input:
    description: The resources.
    type: list
    elements: dict
    required: true
  region:
    description: Their region, for the commands.
    type: str
    required: true
  ignored:
    description: Ends of the ARNs of resources that are to be there.
    type: list
    elements: str
    default: []
seealso:
  - module: csv_to_aurora.aws.resource_groups_tagging_info
"""

EXAMPLES = r"""
- name: Check that nothing is left
  ansible.builtin.assert:
    that: (found.resources | csv_to_aurora.aws.leftovers('eu-west-1')).left | length == 0
"""

RETURN = r"""
_value:
  description:
    - C(left), the ARNs of what is left, each with what is known of its state. C(kept), a line for each resource that
      stays on purpose, with its name and how to delete it.
  type: dict
"""

SNAPSHOT, SECRET = ":cluster-snapshot:", ":secret:"
AUTOMATED = f"{SNAPSHOT}rds:"
"""Only of automated snapshots the names begin with rds:, which is not allowed for others:
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBClusterSnapshot.html"""


def kept(resource: Mapping[str, Any], region: str) -> str:
    """Return what stays on purpose, and how to delete it; empty for any other resource.

    Args:
        resource: The resource with its state.
        region: Its region.
    """
    arn, details = str(resource["arn"]), resource["details"]
    # Whoever may not ask for a snapshot that was made by hand is not to delete it for that.
    if SNAPSHOT in arn and resource["state"] in ("exists", "unknown"):
        name = arn.rpartition(SNAPSHOT)[2]
        doubt = f" (RDS did not say whether it still exists: {details['reason']})" if details.get("reason") else ""
        return (
            f"DB cluster snapshot {name}{doubt}: the database can be restored from it. "
            "If nobody needs the data any more: "
            f"aws rds delete-db-cluster-snapshot --region {region} --db-cluster-snapshot-identifier {name}"
        )
    if SECRET in arn and details.get("deletion_date"):
        name = details.get("name", arn)
        # A secret may be deleted for good also in its recovery window:
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
        return (
            f"Secret {name}: Secrets Manager deletes it after {details['deletion_date'][:10]}, and it can be restored "
            f"until then. To delete it now: aws secretsmanager delete-secret --region {region} --secret-id {name} "
            "--force-delete-without-recovery"
        )
    return ""


def leftovers(
    resources: Sequence[Mapping[str, Any]], region: str, ignored: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return what is ``left``, and what is ``kept`` on purpose, a line for each.

    Args:
        resources: The resources with their states.
        region: Their region.
        ignored: Ends of the ARNs of resources that are to be there.
    """
    there = [
        resource
        for resource in resources
        if resource["state"] != "deleted"
        and AUTOMATED not in resource["arn"]
        and not any(resource["arn"].endswith(end) for end in ignored)
    ]
    return {
        "left": [_left(resource) for resource in there if not kept(resource, region)],
        "kept": [line for resource in there if (line := kept(resource, region))],
    }


def _left(resource: Mapping[str, Any]) -> str:
    """Return the ARN of a resource, and what is known of its state where that is not simply that it exists."""
    if resource["state"] == "unknown":
        return f"{resource['arn']} (in an unknown state: {resource['details'].get('reason', 'no reason given')})"
    return str(resource["arn"]) + (" (being deleted)" if resource["state"] == "deleting" else "")


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"leftovers": leftovers}
