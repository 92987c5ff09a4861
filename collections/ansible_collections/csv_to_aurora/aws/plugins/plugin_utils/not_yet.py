# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The answers with which AWS or MySQL says 'not yet': the same call succeeds later, with nothing corrected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
_EC2_CONSISTENCY = "https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"
_RDS = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_{}.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/api/API_{}.html"
_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"


_CLIENT_ERROR = re.compile(
    r"An error occurred \((?P<code>[\w.]+)\) when calling the \w+ operation"
    r"(?: \(reached max retries: \d+\))?: (?P<said>.*)"
)
_MYSQL_ERROR = re.compile(r"Cannot execute SQL .*: \((?P<code>\d{4}), ['\"](?P<said>.*)['\"]\)\Z", re.DOTALL)
_MYSQL_VALUE = re.compile(r"(?<=Duplicate entry) '.*'(?= for key)|: '.*'(?= for column|$)", re.DOTALL)
"""The value of a row in MySQL's message, which is in no log."""
_REPLACED = {
    # ec2_vpc_endpoint takes the first of none, while the endpoint that it has created is not known everywhere.
    "list index out of range": "InvalidVpcEndpointId.NotFound",
    "RouteAlreadyExists ": "RouteAlreadyExists",
    "Could not find IAM instance profile ": "NoSuchEntity",
}
"""Error codes by the beginning of the text that a module reports in place of the error."""


@dataclass(frozen=True)
class NotYet:
    """One such answer.

    Attributes:
        code: Regular expression for the whole error code, as botocore has it in ``Error.Code``, or error_of.
        message: Regular expression for some of the error's message; empty for any message.
        why: What is waited for, to be read after 'waiting:'.
        source: Where AWS or MySQL documents it.
        actions: What the call is for when the answer means 'not yet': create, update, delete.
    """

    code: str
    message: str
    why: str
    source: str
    actions: frozenset[str] = frozenset({"create", "update", "delete"})


_CREATES = frozenset({"create"})
_WRITES = frozenset({"create", "update"})
_DELETES = frozenset({"delete"})

NOT_YET: tuple[NotYet, ...] = (
    # Any service
    NotYet(
        "Throttling|ThrottlingException|ThrottledException|RequestLimitExceeded|RequestThrottled|"
        "RequestThrottledException|TooManyRequestsException|EC2ThrottledException|SlowDown|PriorRequestNotComplete|"
        "BandwidthLimitExceeded",
        "",
        "AWS limits the rate of calls",
        "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    ),
    NotYet(
        r"Internal\w*(Error|Failure|Exception)|ServiceUnavailable|ServiceUnavailableException|Unavailable|"
        "ServiceException|RequestTimeout|RequestTimeoutException",
        "",
        "the service is unavailable",
        "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    ),
    # EC2
    NotYet(
        # An image is older than the stack: the id of one that is not found is wrong. An Elastic IP address is not found
        # when it is tagged: the module would allocate another, while the next run finds this one.
        r"Invalid(?!AMI|ElasticIp)\w+(ID|Id)\.NotFound|InvalidGroup\.NotFound|InvalidKeyPair\.NotFound|NatGatewayNotFound|"
        r"InvalidLaunchTemplateName\.NotFoundException",
        "",
        "the new id is not known everywhere",
        _EC2_CONSISTENCY,
        _WRITES,
    ),
    NotYet(
        "InvalidParameterValue|InvalidParameterCombination",
        "(?i)iam ?instance ?profile",
        "the new instance profile is not known everywhere",
        _IAM,
        _WRITES,
    ),
    NotYet("DependencyViolation", "", "something that is being deleted still uses it", _EC2, _DELETES),
    NotYet(
        # AuthFailure, as for a foreign address, is the answer while a NAT gateway has it.
        r"InvalidIPAddress\.InUse|AuthFailure",
        "(?i)in use|do not have permission to access the specified resource",
        "its address is in use",
        _EC2,
        _DELETES,
    ),
    NotYet(r"Resource\.AlreadyAssociated", "", "its address belongs to a gateway that is being deleted", _EC2, _WRITES),
    NotYet(
        "RouteAlreadyExists|InvalidParameter",
        "(?i)already ?exists|conflicting DNS domain",
        "routes and names of the endpoint before are being removed",
        _EC2,
        _CREATES,
    ),
    NotYet("IncorrectState|IncorrectInstanceState|InvalidState", "", "its state does not allow that", _EC2),
    # IAM
    NotYet(
        "NoSuchEntity|ConcurrentModification|ConcurrentModificationException|EntityTemporarilyUnmodifiable",
        # A permissions boundary is older than the stack: one that is not there is not going to be.
        r"\A(?!Scope ARN\b)",
        "IAM has not distributed the last change",
        _IAM,
        _WRITES,
    ),
    NotYet("DeleteConflict", "", "something that is being removed still uses it", _IAM, _DELETES),
    # RDS
    NotYet(
        "InvalidDBClusterStateFault|InvalidDBClusterState",
        "",
        "the DB cluster is being changed",
        _RDS.format("ModifyDBCluster"),
    ),
    NotYet(
        "InvalidDBInstanceState|InvalidDBInstanceStateFault",
        "",
        "the DB instance is being changed",
        _RDS.format("DeleteDBInstance"),
    ),
    NotYet(
        "DBInstanceAlreadyExists|DBInstanceAlreadyExistsFault|DBClusterAlreadyExistsFault",
        "",
        "the one of that name is being deleted",
        _RDS.format("CreateDBInstance"),
        _CREATES,
    ),
    NotYet(
        "InvalidDBSubnetGroupStateFault|InvalidDBParameterGroupState|InvalidDBParameterGroupStateFault",
        "",
        "the DB cluster still uses it",
        _RDS.format("DeleteDBClusterParameterGroup"),
    ),
    NotYet(
        "InvalidDBClusterSnapshotStateFault|InvalidDBClusterSnapshotState",
        "",
        "a snapshot of the DB cluster is being created",
        _RDS.format("DeleteDBCluster"),
    ),
    NotYet(
        "DBClusterNotFoundFault",
        "",
        "the new DB cluster is not known everywhere",
        _RDS.format("CreateDBInstance"),
        _WRITES,
    ),
    NotYet(
        # DBParameterGroupNotFound is what the operations of cluster parameter groups say, too.
        "DBClusterParameterGroupNotFound|DBParameterGroupNotFound|DBSubnetGroupNotFoundFault",
        "",
        "the new group is not known everywhere",
        _RDS.format("CreateDBCluster"),
        _WRITES,
    ),
    NotYet(
        "InvalidParameterValue",
        "(?i)permission to create service.linked role",
        "the account's first DB cluster needs a service-linked role, which is being created",
        "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html",
        _CREATES,
    ),
    # Lambda
    NotYet(
        "InvalidParameterValueException|AccessDeniedException",
        "cannot be assumed|does not have permissions|Unable to assume given IAM role|access has been denied by EC2",
        "the new IAM role cannot be assumed",
        _LAMBDA.format("CreateFunction"),
        _WRITES,
    ),
    NotYet(
        "InvalidParameterValueException",
        r"EC2 Error Code: Invalid\w+\.NotFound",
        "the new subnet or security group is not known everywhere",
        _EC2_CONSISTENCY,
        _WRITES,
    ),
    NotYet(
        "ResourceConflictException",
        # A function or a statement of that name exists: that does not pass.
        "^(?!.*already exist)",
        "the function is being updated",
        _LAMBDA.format("UpdateFunctionConfiguration"),
    ),
    # S3
    NotYet(
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        "S3 does not know yet that it may invoke the function",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html",
        _WRITES,
    ),
    NotYet(
        "OperationAborted|NoSuchBucket",
        "",
        "S3 has not completed the last change of the bucket",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        _WRITES,
    ),
    # SQS
    NotYet(
        r"(AWS\.SimpleQueueService\.)?QueueDeletedRecently",
        "",
        "the name of a deleted queue is free after 60 seconds",
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
        _CREATES,
    ),
    # Secrets Manager
    NotYet(
        "InvalidRequestException",
        "scheduled for deletion|deleted",
        "the secret of that name is being deleted",
        "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html",
        _WRITES,
    ),
    # CloudWatch Logs
    NotYet(
        "OperationAbortedException",
        "",
        "another change of the log group is in progress",
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
    ),
    # MySQL
    NotYet(
        "MySQL error (1205|1213)",
        "",
        "another session uses the table, which SHOW FULL PROCESSLIST shows",
        "https://dev.mysql.com/doc/refman/8.4/en/metadata-locking.html",
        _WRITES,
    ),
)


def error_of(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return the AWS error code, empty where AWS was not asked or did not answer, and what AWS or the module said.

    Where MySQL refuses a statement, the code is MySQL error and its number, and what was said has no value of a row.
    """
    error = result.get("error") or {}
    said = str(error.get("message") or result.get("msg") or "no reason given")
    code = str(error.get("code") or "")
    statement = _MYSQL_ERROR.match(said)
    if statement:
        return f"MySQL error {statement['code']}", _MYSQL_VALUE.sub("", statement["said"])
    if not code:
        # Modules that wrap the exception in a text of their own still have botocore's words in it.
        for text in ("msg", "exception", "module_stderr"):
            found = _CLIENT_ERROR.search(str(result.get(text) or ""))
            if found:
                return found["code"], found["said"]
        # ec2_vpc_endpoint and ec2_instance each replace one error by a text of their own.
        code = next((one for beginning, one in _REPLACED.items() if said.startswith(beginning)), "")
    return code, said


def not_yet(result: Mapping[str, Any], action: str) -> NotYet | None:
    """Return why a call that failed would succeed later; None where it would not.

    Args:
        result: The failed result of a module.
        action: What the call was for: create, update or delete.
    """
    code, said = error_of(result)
    if not code:
        return None
    for entry in NOT_YET:
        if action in entry.actions and re.fullmatch(entry.code, code) and re.search(entry.message, said):
            return entry
    return None
