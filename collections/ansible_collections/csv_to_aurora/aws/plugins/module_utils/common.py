# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the modules of this collection share: retries, failures with cause and fix, and results."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # caught by AnsibleAWSModule

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

if TYPE_CHECKING:
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

# How AWS words "the role exists, but its trust policy or its permissions have not reached every server yet".
NEW_ROLE_MESSAGES = (
    "does not have permissions",
    "Unable to assume given IAM role",
    "cannot be assumed",
)


class NewRoleRetry(AWSRetry):
    """AWSRetry that also waits until a new IAM role is known everywhere in AWS (seconds, rarely a minute)."""

    @staticmethod
    def status_code_from_exception(error: Any) -> str:
        """Return the error's code, or C(NewRole) when its message is that of a role too new to use."""
        details = error.response["Error"]
        if any(text in details.get("Message", "") for text in NEW_ROLE_MESSAGES):
            return "NewRole"
        return str(details["Code"])


def aws_retry() -> Any:
    """Return the retry decorator for C(AnsibleAWSModule.client): retries for about a minute in all."""
    return NewRoleRetry.jittered_backoff(
        retries=10,
        delay=2,
        max_delay=15,
        # ResourceConflictException: the function is still being created or updated.
        catch_extra_error_codes=["NewRole", "ResourceConflictException", "ThrottlingException", "SlowDown"],
    )


def answer_of(error: Exception) -> dict[str, Any]:
    """Return what AWS has answered; empty where it has not, as where a connection was cut or an answer never came."""
    return getattr(error, "response", None) or {}


def cause_of(error: Exception) -> str:
    """Return what AWS, or the SDK, gives as the reason of an error, with the error's code and without a full stop."""
    details = answer_of(error).get("Error", {})
    words = [details.get("Code"), details.get("Message")] if details else [str(error)]
    return ": ".join(" ".join(str(word).split()) for word in words if word).rstrip(".")


@contextmanager
def explained(module: AnsibleAWSModule, failure: str, fix: str) -> Iterator[None]:
    """Fail the module on an AWS error inside the block, with what failed, the cause and how to fix it.

    Args:
        module: The module to fail.
        failure: What could not be done, without a full stop: "Cannot read the policy of function f".
        fix: What the reader can do about it, without a full stop.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        module.fail_json(
            msg=f"{failure}: {cause_of(error)}. {fix}.",
            exception=traceback.format_exc(),
            # The code, for whoever decides by it whether to try again.
            **camel_dict_to_snake_dict(answer_of(error)),
        )


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
        before: The managed settings as found; empty where there was nothing.
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
