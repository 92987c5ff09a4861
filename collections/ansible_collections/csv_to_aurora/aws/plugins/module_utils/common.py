# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the modules of this collection share: retries, errors that say what to do, and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # caught by AnsibleAWSModule

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

if TYPE_CHECKING:
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

# How AWS words "the role exists, but its trust or its policy has not reached every server yet".
NEW_ROLE_MESSAGES = (
    "does not have permissions",
    "Unable to assume given IAM role",
    "cannot be assumed",
)


class PatientRetry(AWSRetry):
    """AWSRetry that also waits for a new role to be known everywhere in AWS (seconds, rarely a minute)."""

    @staticmethod
    def status_code_from_exception(error: Any) -> str:
        """Return the error's code, or C(NewRole) when its message is that of a role too new to use."""
        details = error.response["Error"]
        if any(text in details.get("Message", "") for text in NEW_ROLE_MESSAGES):
            return "NewRole"
        return str(details["Code"])


def aws_retry() -> Any:
    """Return the retry decorator for C(AnsibleAWSModule.client): about a minute of patience in all."""
    return PatientRetry.jittered_backoff(
        retries=10,
        delay=2,
        max_delay=15,
        # ResourceConflictException: the function is still being created or updated.
        catch_extra_error_codes=["NewRole", "ResourceConflictException", "ThrottlingException", "SlowDown"],
    )


@contextmanager
def explained(module: AnsibleAWSModule, failure: str, remedy: str) -> Iterator[None]:
    """Fail the module on an AWS error inside the block, with one sentence each for what failed and what mends it.

    Args:
        module: The module to fail.
        failure: What could not be done, without a full stop: "Cannot read the policy of function f".
        remedy: What the reader can do about it, without a full stop.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"{failure}. {remedy}")


def exit_with(
    module: AnsibleAWSModule,
    subject: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    **returned: Any,
) -> None:
    """End the module: changed if, and only if, C(before) differs from C(after); with the two as diff under --diff.

    Args:
        module: The module to end.
        subject: What the diff is about, for its header.
        before: The managed settings as found; empty when the thing did not exist.
        after: The same settings as they are now, or as a run without check mode would leave them.
        returned: The module's own return values.
    """
    result: dict[str, Any] = {"changed": before != after, **returned}
    if module._diff:
        result["diff"] = {
            "before": dict(before),
            "after": dict(after),
            "before_header": subject,
            "after_header": subject,
        }
    module.exit_json(**result)
