"""Which errors of AWS mean 'not yet', and which are failures: the messages are those of AWS."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.not_yet import NOT_YET, error_of, not_yet

ACTIONS = ("create", "update", "delete")
WRITES = ("create", "update")
DELETES = ("delete",)
NEW = ("create",)

Row = tuple[str, str, tuple[str, ...], str]

# Code, message, the actions for which it passes, and words of what is waited for.
ANSWERS: list[Row] = [
    # Any service
    ("Throttling", "Rate exceeded", ACTIONS, "limits the rate"),
    ("ThrottlingException", "Rate exceeded", ACTIONS, "limits the rate"),
    ("RequestLimitExceeded", "Request limit exceeded.", ACTIONS, "limits the rate"),
    ("TooManyRequestsException", "Rate Exceeded.", ACTIONS, "limits the rate"),
    ("SlowDown", "Please reduce your request rate.", ACTIONS, "limits the rate"),
    ("InternalError", "We encountered an internal error. Please try again.", ACTIONS, "unavailable"),
    ("InternalFailure", "An internal failure occurred", ACTIONS, "unavailable"),
    ("InternalServiceError", "An error occurred on the server side.", ACTIONS, "unavailable"),
    ("ServiceUnavailable", "The service is unavailable.", ACTIONS, "unavailable"),
    ("ServiceException", "The Lambda service encountered an internal error.", ACTIONS, "unavailable"),
    ("RequestTimeout", "Your socket connection to the server was not read from in time.", ACTIONS, "unavailable"),
    # EC2
    ("InvalidVpcID.NotFound", "The vpc ID 'vpc-0a1' does not exist", WRITES, "new id"),
    ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-0a1' does not exist", WRITES, "new id"),
    ("InvalidInternetGatewayID.NotFound", "The internetGateway ID 'igw-0a1' does not exist", WRITES, "new id"),
    ("InvalidGatewayID.NotFound", "The gateway ID 'igw-0a1' does not exist", WRITES, "new id"),
    ("InvalidRouteTableID.NotFound", "The routeTable ID 'rtb-0a1' does not exist", WRITES, "new id"),
    ("InvalidAllocationID.NotFound", "The allocation ID 'eipalloc-0a1' does not exist", WRITES, "new id"),
    ("InvalidNatGatewayID.NotFound", "The natGateway ID 'nat-0a1' does not exist", WRITES, "new id"),
    ("NatGatewayNotFound", "The Nat Gateway nat-0a1 was not found", WRITES, "new id"),
    ("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id 'vpce-0a1' does not exist", WRITES, "new id"),
    ("InvalidGroup.NotFound", "The security group 'sg-0a1' does not exist", WRITES, "new id"),
    ("InvalidInstanceID.NotFound", "The instance ID 'i-0a1' does not exist", WRITES, "new id"),
    ("InvalidKeyPair.NotFound", "The key pair 'stage' does not exist", WRITES, "new id"),
    ("InvalidLaunchTemplateName.NotFoundException", "The specified launch template does not exist", WRITES, "new id"),
    ("InvalidLaunchTemplateId.NotFound", "The specified launch template does not exist", WRITES, "new id"),
    (
        "InvalidParameterValue",
        "Value (stage-app) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        WRITES,
        "instance profile",
    ),
    ("DependencyViolation", "resource sg-0a1 has a dependent object", DELETES, "still uses it"),
    ("InvalidIPAddress.InUse", "The address with allocation id [eipalloc-0a1] is in use", DELETES, "in use"),
    ("AuthFailure", "You do not have permission to access the specified resource.", DELETES, "in use"),
    ("Resource.AlreadyAssociated", "Elastic IP address [eipalloc-0a1] is already associated", WRITES, "gateway"),
    ("RouteAlreadyExists", "route table rtb-0a1 already has a route, which already exists", NEW, "endpoint before"),
    (
        "InvalidParameter",
        "private-dns-enabled cannot be set because there is already a conflicting DNS domain for this service",
        NEW,
        "endpoint before",
    ),
    ("IncorrectState", "The gateway is not in a state that allows this", ACTIONS, "state"),
    ("IncorrectInstanceState", "The instance 'i-0a1' is not in a state from which it can be started", ACTIONS, "state"),
    # IAM
    ("NoSuchEntity", "The role with name stage-app cannot be found.", WRITES, "IAM has not distributed"),
    ("ConcurrentModification", "The request was rejected because of multiple concurrent requests", WRITES, "IAM has"),
    ("EntityTemporarilyUnmodifiable", "The role is being changed", WRITES, "IAM has not distributed"),
    ("DeleteConflict", "Cannot delete entity, must detach all policies first.", DELETES, "still uses it"),
    # RDS
    ("InvalidDBClusterStateFault", "DB cluster is not available for modification", ACTIONS, "DB cluster is being"),
    ("InvalidDBInstanceState", "Instance stage-1 is already being deleted.", ACTIONS, "DB instance is being"),
    ("DBInstanceAlreadyExists", "DB Instance already exists", NEW, "being deleted"),
    ("DBClusterAlreadyExistsFault", "DB Cluster already exists", NEW, "being deleted"),
    (
        "InvalidDBSubnetGroupStateFault",
        "Cannot delete the subnet group 'stage' because at least one database instance is still using it.",
        ACTIONS,
        "still uses it",
    ),
    (
        "InvalidDBParameterGroupState",
        "One or more database instances are still members of this parameter group stage",
        ACTIONS,
        "still uses it",
    ),
    (
        "InvalidDBClusterSnapshotStateFault",
        "Cannot delete the cluster: a snapshot of it is being created",
        ACTIONS,
        "snapshot of the DB cluster",
    ),
    ("DBClusterNotFoundFault", "DBCluster stage not found.", WRITES, "new DB cluster"),
    ("DBClusterParameterGroupNotFound", "DBClusterParameterGroup not found: stage", WRITES, "new group"),
    ("DBParameterGroupNotFound", "DBClusterParameterGroup not found: stage", WRITES, "new group"),
    ("DBSubnetGroupNotFoundFault", "DB subnet group 'stage' does not exist.", WRITES, "new group"),
    (
        "InvalidParameterValue",
        (
            "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise "
            "wait and try again later"
        ),
        NEW,
        "service-linked role",
    ),
    # Lambda
    (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
        WRITES,
        "IAM role cannot be assumed",
    ),
    (
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
        WRITES,
        "IAM role cannot be assumed",
    ),
    (
        "InvalidParameterValueException",
        "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: …",
        WRITES,
        "security group is not known",
    ),
    (
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: importer",
        ACTIONS,
        "function is being updated",
    ),
    # S3
    (
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        WRITES,
        "may invoke the function",
    ),
    (
        "OperationAborted",
        "A conflicting conditional operation is currently in progress",
        WRITES,
        "S3 has not completed",
    ),
    ("NoSuchBucket", "The specified bucket does not exist", WRITES, "S3 has not completed"),
    # SQS
    (
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        NEW,
        "60 seconds",
    ),
    ("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue", NEW, "60 seconds"),
    # Secrets Manager
    (
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
        WRITES,
        "secret of that name",
    ),
    # CloudWatch Logs
    (
        "OperationAbortedException",
        "A conflicting operation is currently in progress against this resource.",
        ACTIONS,
        "log group is in progress",
    ),
    # MySQL
    ("MySQL error 1205", "Lock wait timeout exceeded; try restarting transaction", WRITES, "SHOW FULL PROCESSLIST"),
]

# Errors that look alike, and for which waiting does not help.
FAILURES = [
    ("AccessDenied", "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:CreateRole"),
    ("AccessDeniedException", "User: arn:aws:iam::123456789012:user/ci is not authorized"),
    ("UnauthorizedOperation", "You are not authorized to perform this operation."),
    ("AuthFailure", "AWS was not able to validate the provided access credentials"),
    ("ExpiredToken", "The security token included in the request is expired"),
    ("InvalidParameterValue", "The engine version that you requested does not exist"),
    ("InvalidParameterValueException", "MemorySize value failed to satisfy constraint"),
    ("InvalidParameterCombination", "Cannot find version 8.0 for aurora-mysql"),
    ("InvalidArgument", "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules"),
    ("InvalidRequestException", "The parameter RecoveryWindowInDays is out of range"),
    ("InvalidAMIID.NotFound", "The image id '[ami-0a1]' does not exist"),
    # ec2_eip tags an address that it has allocated: run again, it would allocate another.
    ("InvalidElasticIpID.NotFound", "The elasticIp ID 'eipalloc-0a1' does not exist"),
    ("InvalidAMIID.Malformed", 'Invalid id: "ami"'),
    ("InvalidSubnetID.Malformed", "Invalid id"),
    ("InvalidGroup.Duplicate", "The security group 'stage-app' already exists"),
    ("ResourceConflictException", "Function already exist: importer"),
    ("ResourceConflictException", "The statement id (bucket) provided already exists."),
    ("VpcLimitExceeded", "The maximum number of VPCs has been reached."),
    ("LimitExceededException", "Limit Exceeded"),
    ("BucketAlreadyExists", "The requested bucket name is not available."),
    ("MalformedPolicyDocument", "Syntax errors in policy."),
    ("InstanceQuotaExceeded", "The request would exceed the quota"),
    ("MySQL error 1062", "Duplicate entry for key 'customer.key_email'"),
]


def failed(code: str, message: str) -> dict[str, Any]:
    """Return a failed result as fail_json_aws of amazon.aws makes it."""
    return {
        "failed": True,
        "msg": f"Could not do it: An error occurred ({code}) when calling the Do operation: {message}",
        "error": {"code": code, "message": message},
    }


@pytest.mark.parametrize(("code", "message", "actions", "why"), ANSWERS, ids=lambda value: str(value)[:40])
def test_not_yet_follows_from_the_code_the_message_and_the_action(
    code: str, message: str, actions: tuple[str, ...], why: str
) -> None:
    for action in ACTIONS:
        found = not_yet(failed(code, message), action)
        assert (found is not None) == (action in actions), action
        assert found is None or why in found.why


@pytest.mark.parametrize(("code", "message"), FAILURES, ids=lambda value: str(value)[:40])
def test_a_failure_is_no_reason_to_wait(code: str, message: str) -> None:
    assert [not_yet(failed(code, message), action) for action in ACTIONS] == [None] * len(ACTIONS)


@pytest.mark.parametrize("entry", NOT_YET, ids=lambda entry: entry.code[:40])
def test_each_entry_is_complete_and_has_an_answer_above(entry: Any) -> None:
    assert re.fullmatch(r"https://(docs\.aws\.amazon|dev\.mysql)\.com/\S+", entry.source)
    assert entry.why
    assert entry.why[-1] not in ".,"
    assert entry.actions
    assert entry.actions <= set(ACTIONS)
    assert any(not_yet(failed(code, message), actions[0]) is entry for code, message, actions, _ in ANSWERS)


def codes(entry: Any) -> list[str]:
    """Return the alternatives of an entry's code."""
    return re.split(r"\|(?![^(]*\))", entry.code)


@pytest.mark.parametrize(
    "alternative", [one for entry in NOT_YET for one in codes(entry) if re.fullmatch(r"(\w|\\\.)+", one)]
)
def test_no_code_is_listed_twice_for_one_message(alternative: str) -> None:
    code = alternative.replace("\\", "")
    found = [entry for entry in NOT_YET if re.fullmatch(entry.code, code)]
    assert len({entry.message for entry in found}) == len(found)


def test_what_botocore_tries_again_is_not_yet_here_too() -> None:
    # Not about rates: quotas of the account, and transactions and capacity of services that are not used here.
    others = {"LimitExceededException", "ProvisionedThroughputExceededException", "TransactionInProgressException"}
    tried = {
        *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,  # type: ignore[attr-defined]
        *TransientRetryableChecker._TRANSIENT_ERROR_CODES,  # type: ignore[attr-defined]
    }
    assert {code for code in tried - others if not not_yet(failed(code, "x"), "update")} == set()


@pytest.mark.parametrize(
    ("refusal", "code", "said"),
    [
        ('(1205, "Lock wait timeout exceeded")', "1205", "Lock wait timeout exceeded"),
        ("(1062, \"Duplicate entry 'a' for b' for key 't.key_a'\")", "1062", "Duplicate entry for key 't.key_a'"),
        (
            "(1366, \"Incorrect integer value: 'a@b' for column 'n' at row 3\")",
            "1366",
            "Incorrect integer value for column 'n' at row 3",
        ),
        ("(1265, \"Data truncated for column 'n' at row 1\")", "1265", "Data truncated for column 'n' at row 1"),
        ("(1292, \"Truncated incorrect DOUBLE value: 'a@b'\")", "1292", "Truncated incorrect DOUBLE value"),
    ],
)
def test_of_a_statement_that_mysql_refuses_no_value_is_told(refusal: str, code: str, said: str) -> None:
    result = {"failed": True, "msg": f"Cannot execute SQL 'ALTER TABLE t ADD x: (1' args [None]: {refusal}"}
    assert error_of(result) == (f"MySQL error {code}", said)


# Where the code is


def test_a_module_that_wraps_the_exception_in_its_own_words_is_understood() -> None:
    said = "Unable to validate the following destination configurations"
    operation = "PutBucketNotificationConfiguration"
    notification = {"msg": f"An error occurred (InvalidArgument) when calling the {operation} operation: {said}"}
    assert error_of(notification) == ("InvalidArgument", said)
    assert not_yet(notification, "create") is not None
    endpoint = {"msg": "RouteAlreadyExists for one of the route tables - update is not supported by this API"}
    assert error_of(endpoint)[0] == "RouteAlreadyExists"
    assert not_yet(endpoint, "create") is not None
    # ec2_instance asks IAM for a new profile before EC2 does.
    instance = {"msg": "Could not find IAM instance profile stage-app"}
    assert error_of(instance)[0] == "NoSuchEntity"
    assert not_yet(instance, "create") is not None
    assert not_yet({"msg": "Could not find IAM role stage-app"}, "create") is None


def test_a_permissions_boundary_that_does_not_exist_is_not_waited_for() -> None:
    """What ministack says, in the words of IAM."""
    said = "An error occurred (NoSuchEntity) when calling the CreateRole operation: {}"
    boundary = said.format("Scope ARN: arn:aws:iam::123456789012:policy/b does not exist or is not attachable.")
    assert not_yet({"msg": f"Failed to create role: {boundary}"}, "create") is None
    assert not_yet({"msg": f"Failed to create role: {said.format('The role cannot be found.')}"}, "create") is not None


@pytest.mark.parametrize("place", ["msg", "exception", "module_stderr"])
def test_the_code_is_found_wherever_the_module_left_it(place: str) -> None:
    text = (
        "Traceback (most recent call last):\n  File x\n"
        "botocore.exceptions.ClientError: An error occurred (SlowDown) when calling the PutObject operation (reached "
        "max retries: 4): Reduce your request rate.\nAnd more."
    )
    result: dict[str, Any] = {"failed": True, "msg": "It did not work", place: text}
    assert error_of(result) == ("SlowDown", "Reduce your request rate.")


def test_what_was_said_is_that_of_the_place_where_the_code_is() -> None:
    said = "An error occurred (SlowDown) when calling the PutObject operation: Reduce your request rate."
    assert error_of({"msg": said, "exception": "Traceback of it", "module_stderr": "and noise"}) == (
        "SlowDown",
        "Reduce your request rate.",
    )


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"msg": "missing required arguments: name"}, "missing required arguments: name"),
        ({"msg": ""}, "no reason given"),
        ({}, "no reason given"),
        ({"error": None, "msg": "Unable to locate credentials"}, "Unable to locate credentials"),
    ],
)
def test_a_failure_that_is_not_of_aws_has_no_code(result: dict[str, Any], said: str) -> None:
    assert error_of(result) == ("", said)
    assert not_yet(result, "create") is None
