"""Calls that take another permission than their own, or are answered with less, or differently, without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.policies.stack import STACK

NAME, REGION, ACCOUNT, BUCKET = (STACK[key] for key in ("stack_name", "aws_region", "aws_account_id", "bucket_name"))
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}-importer"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{NAME}-importer"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-importer-dead-letters"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{NAME}/importer"
LOCK = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/locks/{NAME}"
FILES, OBJECT = f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/file.csv"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
RDS = f"arn:aws:rds:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/{NAME}-app"
TAGS = {"aws:RequestTag/Project": STACK["project"], "aws:RequestTag/Environment": STACK["environment_name"]}

BOUNDARY = {"iam:PermissionsBoundary": STACK["stack_permissions_boundary"]}

DENIED = "the call is denied"
UNTAGGED = "the call is denied where it gives tags"
AS_DENIED = "an object that is gone is answered as one that may not be read: 403 in place of 404"

REFERENCE = "https://docs.aws.amazon.com/"
RDS_POLICIES = f"{REFERENCE}AmazonRDS/latest/UserGuide/security_iam_id-based-policy-examples.html"
GET_OBJECT = f"{REFERENCE}AmazonS3/latest/API/API_GetObject.html"
IAM_TAGS = f"{REFERENCE}IAM/latest/UserGuide/access_tags.html"
PASS_ROLE = f"{REFERENCE}IAM/latest/UserGuide/id_roles_use_passrole.html"
EC2_TAGS = f"{REFERENCE}AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html"
LAMBDA_VPC = f"{REFERENCE}lambda/latest/dg/configuration-vpc.html"
LAMBDA_TAGS = f"{REFERENCE}lambda/latest/dg/configuration-tags.html"


@dataclass(frozen=True)
class Second:
    """Whoever may do ``action`` on ``resource`` has to be allowed ``needs`` on ``on``.

    Attributes:
        action: The action of the call.
        resource: A resource that it is made on.
        needs: The further action, or the same one on a further resource.
        on: The resource of that.
        without: What happens otherwise.
        source: Where AWS documents it.
        context: The condition keys of the first.
        needs_context: Those of the second.
        who: Whom it concerns; everybody where this is empty.
    """

    action: str
    resource: str
    needs: str
    on: str
    without: str
    source: str
    context: Mapping[str, Any] = field(default_factory=dict)
    needs_context: Mapping[str, Any] = field(default_factory=dict)
    who: tuple[str, ...] = ()


def passing(action: str, resource: str, role: str, service: str, context: Mapping[str, Any] | None = None) -> Second:
    """Return the row of an action that passes a role to a service."""
    to = {"iam:PassedToService": service}
    return Second(action, resource, "iam:PassRole", f"{ROLE}-{role}", DENIED, PASS_ROLE, context or {}, to)


def tagged(action: str, resource: str, needs: str, source: str) -> Second:
    """Return the row of an action that tags what it creates."""
    return Second(action, resource, needs, resource, UNTAGGED, source, TAGS, TAGS)


def tagged_by_ec2(operation: str, kind: str) -> Second:
    """Return the row of an action of EC2 that tags what it creates."""
    creating = {**TAGS, "ec2:CreateAction": operation}
    resource = f"{EC2}:{kind}/*"
    return Second(f"ec2:{operation}", resource, "ec2:CreateTags", resource, UNTAGGED, EC2_TAGS, TAGS, creating)


SECOND = (
    # Answers.
    Second(
        "lambda:GetFunction",
        FUNCTION,
        "lambda:ListTags",
        FUNCTION,
        "the function is answered without its tags, as if it were not managed by this stack",
        LAMBDA_TAGS,
    ),
    Second("s3:GetObject", OBJECT, "s3:ListBucket", FILES, AS_DENIED, GET_OBJECT),
    Second("s3:GetObjectVersion", OBJECT, "s3:ListBucket", FILES, AS_DENIED, GET_OBJECT),
    # Further resources of the same action.
    Second(
        "lambda:GetFunction",
        FUNCTION,
        "lambda:GetFunction",
        f"{FUNCTION}:1",
        "amazon.aws.lambda reads the version that it has written, by its qualifier, and is denied",
        f"{REFERENCE}lambda/latest/dg/lambda-api-permissions-ref.html",
        who=("deployer",),
    ),
    Second(
        "rds:CreateDBInstance",
        f"{RDS}:db:{NAME}-1",
        "rds:CreateDBInstance",
        f"{RDS}:pg:default.aurora-mysql8.0",
        DENIED,
        RDS_POLICIES,
    ),
    Second(
        "rds:CreateDBInstance",
        f"{RDS}:db:{NAME}-1",
        "rds:CreateDBInstance",
        f"{RDS}:og:default:aurora-mysql-8-0",
        DENIED,
        RDS_POLICIES,
    ),
    Second(
        "rds:CreateDBCluster",
        f"{RDS}:cluster:{NAME}",
        "rds:CreateDBCluster",
        f"{RDS}:og:default:aurora-mysql-8-0",
        DENIED,
        RDS_POLICIES,
    ),
    # Further actions.
    Second(
        "rds:CreateDBCluster",
        f"{RDS}:cluster:{NAME}",
        "iam:CreateServiceLinkedRole",
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
        "the first cluster of an account is denied",
        f"{REFERENCE}AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html",
        needs_context={"iam:AWSServiceName": "rds.amazonaws.com"},
    ),
    Second(
        "ec2:CreateVpcEndpoint",
        f"{EC2}:vpc-endpoint/*",
        "route53:AssociateVPCWithHostedZone",
        "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ",
        "an interface endpoint with private DNS names, the default, is denied",
        f"{REFERENCE}service-authorization/latest/reference/list_amazonec2.html",
        TAGS,
    ),
    *(
        Second("lambda:CreateFunction", FUNCTION, f"ec2:{operation}", "*", "a function in a VPC is denied", LAMBDA_VPC)
        for operation in ("DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs")
    ),
    Second(
        "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        f"{EC2}:security-group/sg-0123456789abcdef0",
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
        f"{EC2}:security-group/sg-0123456789abcdef0",
        "amazon.aws.ec2_security_group is denied where the description of an outbound rule differs",
        f"{REFERENCE}AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsEgress.html",
        *2 * ({f"aws:ResourceTag/{key.rpartition('/')[2]}": value for key, value in TAGS.items()},),
    ),
    # Roles that are passed.
    passing("lambda:CreateFunction", FUNCTION, "importer", "lambda.amazonaws.com"),
    passing("lambda:UpdateFunctionConfiguration", FUNCTION, "importer", "lambda.amazonaws.com"),
    passing("iam:AddRoleToInstanceProfile", PROFILE, "app", "ec2.amazonaws.com"),
    passing("ec2:RunInstances", f"{EC2}:instance/*", "app", "ec2.amazonaws.com", TAGS),
    passing("ec2:CreateFlowLogs", f"{EC2}:vpc-flow-log/*", "flow-logs", "vpc-flow-logs.amazonaws.com", TAGS),
    # Tags of what is created.
    tagged("iam:CreateInstanceProfile", PROFILE, "iam:TagInstanceProfile", IAM_TAGS),
    *(
        Second("iam:CreateRole", f"{ROLE}-{name}", "iam:TagRole", f"{ROLE}-{name}", UNTAGGED, IAM_TAGS, BOUNDARY, TAGS)
        for name in ("app", "flow-logs", "importer")
    ),
    tagged("lambda:CreateFunction", FUNCTION, "lambda:TagResource", LAMBDA_TAGS),
    tagged(
        "logs:CreateLogGroup",
        LOG_GROUP,
        "logs:TagResource",
        f"{REFERENCE}AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
    ),
    tagged(
        "secretsmanager:CreateSecret",
        SECRET,
        "secretsmanager:TagResource",
        f"{REFERENCE}secretsmanager/latest/apireference/API_CreateSecret.html",
    ),
    tagged(
        "sqs:CreateQueue",
        QUEUE,
        "sqs:TagQueue",
        f"{REFERENCE}AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
    ),
    tagged(
        "ssm:PutParameter",
        LOCK,
        "ssm:AddTagsToResource",
        f"{REFERENCE}systems-manager/latest/APIReference/API_PutParameter.html",
    ),
    *(
        tagged(f"rds:{operation}", f"{RDS}:{resource}", "rds:AddTagsToResource", RDS_POLICIES)
        for operation, resource in (
            ("CreateDBCluster", f"cluster:{NAME}"),
            ("CreateDBClusterParameterGroup", f"cluster-pg:{NAME}"),
            ("CreateDBClusterSnapshot", f"cluster-snapshot:{NAME}-final-20261127033000"),
            ("CreateDBInstance", f"db:{NAME}-1"),
            ("CreateDBSubnetGroup", f"subgrp:{NAME}"),
        )
    ),
    *(
        tagged_by_ec2(operation, kind)
        for operation, kind in (
            ("AllocateAddress", "elastic-ip"),
            ("CreateFlowLogs", "vpc-flow-log"),
            ("CreateInternetGateway", "internet-gateway"),
            ("CreateLaunchTemplate", "launch-template"),
            ("CreateNatGateway", "natgateway"),
            ("CreateRouteTable", "route-table"),
            ("CreateSecurityGroup", "security-group"),
            ("CreateSubnet", "subnet"),
            ("CreateVpc", "vpc"),
            ("CreateVpcEndpoint", "vpc-endpoint"),
            ("RunInstances", "instance"),
            ("RunInstances", "volume"),
        )
    ),
)
"""What AWS documents of the actions in files/policies."""
