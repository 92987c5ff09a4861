"""The strict layer: what each rule refuses and changes, and that it does so in each protocol of AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from strict.assigned import ClassesArePendingAtFirst, StorageIsTheClusters, WindowsAreAssigned
from strict.calls import Call
from strict.database import (
    ClustersTakeTheirTime,
    DeletedDatabasesAreDeletingFirst,
    FinalSnapshotsAreAskedFor,
    InstancesTakeTheirTime,
    ParametersHaveATypeAndValues,
    PasswordsHaveAForm,
    SubnetGroupsCoverTwoZones,
    VersionsAreInFull,
    allowed,
)
from strict.function import (
    FunctionsKeepTheirInterfaces,
    FunctionsTakeTheirTime,
    NotificationsMayNotOverlap,
    ReservedConcurrencyLeavesTheAccountItsShare,
    S3ChecksItsDestinations,
)
from strict.identity import NewInstanceProfilesAreNotKnown, NewRolesCannotBeAssumed, RolesInAVpcNeedPermissions
from strict.in_use import (
    GroupsInUseStay,
    GroupsOfDatabasesInUseStay,
    InstancesShutDown,
    InternetGatewaysStayWithPublicAddresses,
    PublicNatGatewaysNeedAnInternetGateway,
)
from strict.layer import Faults
from strict.lingering import SecretsKeepTheirNames, TagsOfDeletedResourcesLinger
from strict.network import (
    AddressesAreFoundByFilters,
    AddressesBelongToOneGateway,
    EndpointsAreDeletedLater,
    NatGatewaysTakeTheirTime,
    NewIdsAreNotKnownEverywhere,
    VersionsOfTemplatesCanBeDeleted,
)
from strict.rule import Rule
from strict.rules import RULES
from strict.values import ValuesExistInTheRegion

from tests import servers


class Account:
    """One rule, a clock that stands still until it is moved, and an emulator that answers what a test says."""

    def __init__(self, rule: type[Rule]) -> None:
        self.seconds = 100.0
        self.rule = rule(lambda: self.seconds)

    def call(self, name: str, content: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
        """Return what a call is answered with: its content, or the code of a refusal as ``refused``."""
        service, _, operation = name.partition(":")
        call = Call(service, operation, parameters)
        refusal = self.rule.refuse(call)
        if refusal:
            return {"refused": refusal.code}
        answer: dict[str, Any] = json.loads(json.dumps(self.rule.answer(call) or content or {}))
        if self.rule.follows(call):
            self.rule.follow(call, answer)
        return answer

    def refused(self, name: str, **parameters: Any) -> str:
        """Return the code of the refusal of a call; empty where it is accepted."""
        return str(self.call(name, **parameters).get("refused", ""))


VPC, SUBNET, GROUP = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
GATEWAY, OTHER, ADDRESS = "nat-0123456789abcdef0", "nat-0123456789abcdef1", "eipalloc-0123456789abcdef0"
ENDPOINT = "vpce-0123456789abcdef0"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:importer"


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_says_in_a_sentence_what_aws_does_and_where_that_is_written(rule: type[Rule]) -> None:
    assert (rule.__doc__ or "").splitlines()[0].endswith(".")
    assert rule.source.startswith("https://")


def test_a_new_id_is_unknown_for_some_seconds_to_whoever_names_it() -> None:
    account = Account(NewIdsAreNotKnownEverywhere)
    account.call("ec2:CreateVpc", {"Vpc": {"VpcId": VPC}})
    assert account.refused("ec2:ModifyVpcAttribute", VpcId=VPC) == "InvalidVpcID.NotFound"
    assert account.refused("ec2:CreateTags", Resources=[VPC]) == "InvalidVpcID.NotFound"
    assert account.refused("ec2:DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [VPC]}]) == ""
    assert account.refused("rds:CreateDBSubnetGroup", SubnetIds=[VPC]) == ""
    # What names it again later does not make it new again.
    account.seconds += 3
    account.call("ec2:CreateSubnet", {"Subnet": {"SubnetId": SUBNET, "VpcId": VPC}}, VpcId=VPC)
    assert account.refused("ec2:ModifyVpcAttribute", VpcId=VPC) == ""
    assert account.refused("ec2:ModifySubnetAttribute", SubnetId=SUBNET) == "InvalidSubnetID.NotFound"


def test_an_id_that_was_there_before_is_known() -> None:
    account = Account(NewIdsAreNotKnownEverywhere)
    account.call("ec2:DescribeSecurityGroups", {"SecurityGroups": [{"GroupId": GROUP}]})
    account.call("ec2:RunInstances", {"Instances": [{"SecurityGroups": [{"GroupId": GROUP}]}]})
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""


def test_a_nat_gateway_is_pending_without_a_route_and_then_available() -> None:
    account = Account(NatGatewaysTakeTheirTime)
    created = {"NatGateway": {"NatGatewayId": GATEWAY, "State": "available"}}
    found = {"NatGateways": [{"NatGatewayId": GATEWAY, "State": "available"}]}
    assert account.call("ec2:CreateNatGateway", created)["NatGateway"]["State"] == "pending"
    assert account.call("ec2:DescribeNatGateways", found)["NatGateways"][0]["State"] == "pending"
    assert account.refused("ec2:CreateRoute", NatGatewayId=GATEWAY) == "InvalidNatGatewayID.NotFound"
    account.seconds += 6
    assert account.call("ec2:DescribeNatGateways", found)["NatGateways"][0]["State"] == "available"
    assert account.refused("ec2:CreateRoute", NatGatewayId=GATEWAY) == ""


def test_a_nat_gateway_that_is_being_deleted_holds_its_address_and_its_subnet() -> None:
    account = Account(NatGatewaysTakeTheirTime)
    created = {"NatGateway": {"NatGatewayId": GATEWAY, "State": "available"}}
    account.call("ec2:CreateNatGateway", created, SubnetId=SUBNET, AllocationId=ADDRESS)
    account.call("ec2:DeleteNatGateway", NatGatewayId=GATEWAY)
    found = {"NatGateways": [{"NatGatewayId": GATEWAY, "State": "deleted"}]}
    assert account.call("ec2:DescribeNatGateways", found)["NatGateways"][0]["State"] == "deleting"
    assert account.refused("ec2:ReleaseAddress", AllocationId=ADDRESS) == "AuthFailure"
    assert account.refused("ec2:DeleteSubnet", SubnetId=SUBNET) == "DependencyViolation"
    account.seconds += 6
    assert account.call("ec2:DescribeNatGateways", found)["NatGateways"][0]["State"] == "deleted"
    assert account.refused("ec2:ReleaseAddress", AllocationId=ADDRESS) == ""


def test_the_address_of_another_gateway_fails_a_new_one_later() -> None:
    account = Account(AddressesBelongToOneGateway)

    def create(gateway: str) -> None:
        account.call("ec2:CreateNatGateway", {"NatGateway": {"NatGatewayId": gateway}}, AllocationId=ADDRESS)

    def state(gateway: str) -> dict[str, Any]:
        found = {"NatGateways": [{"NatGatewayId": gateway, "State": "available"}]}
        return dict(account.call("ec2:DescribeNatGateways", found)["NatGateways"][0])

    create(GATEWAY)
    create(OTHER)
    assert state(GATEWAY)["State"] == "available"
    assert (state(OTHER)["State"], state(OTHER)["FailureCode"]) == ("failed", "Resource.AlreadyAssociated")
    account.call("ec2:DeleteNatGateway", NatGatewayId=GATEWAY)
    create("nat-0123456789abcdef2")
    assert state("nat-0123456789abcdef2")["State"] == "failed"
    account.seconds += 6
    create("nat-0123456789abcdef3")
    assert state("nat-0123456789abcdef3")["State"] == "available"


def test_the_interfaces_of_a_deleted_endpoint_keep_its_group() -> None:
    account = Account(EndpointsAreDeletedLater)
    created = {"VpcEndpoint": {"VpcEndpointId": ENDPOINT}}
    account.call("ec2:CreateVpcEndpoint", created, SecurityGroupIds=[GROUP], SubnetIds=[SUBNET])
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""
    account.call("ec2:DeleteVpcEndpoints", VpcEndpointIds=[ENDPOINT])
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == "DependencyViolation"
    assert account.refused("ec2:DeleteSubnet", SubnetId=SUBNET) == "DependencyViolation"
    account.seconds += 5
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""


def test_a_new_role_cannot_be_assumed_at_once() -> None:
    account = Account(NewRolesCannotBeAssumed)
    account.call("iam:CreateRole", RoleName="importer")
    role = "arn:aws:iam::123456789012:role/importer"
    assert account.refused("lambda:CreateFunction", Role=role) == "InvalidParameterValueException"
    assert account.refused("lambda:CreateFunction", Role=f"{role}-older") == ""
    account.seconds += 7
    assert account.refused("lambda:CreateFunction", Role=role) == ""


def test_a_new_instance_profile_is_unknown_to_instances_also_through_a_launch_template() -> None:
    account = Account(NewInstanceProfilesAreNotKnown)
    data = {"IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/app"}}
    answer = {"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "app"}}
    account.call("ec2:CreateLaunchTemplate", answer, LaunchTemplateData=data)
    account.call("iam:AddRoleToInstanceProfile", InstanceProfileName="app")
    template = {"LaunchTemplateId": "lt-0123456789abcdef0"}
    assert account.refused("ec2:RunInstances", LaunchTemplate=template) == "InvalidParameterValue"
    assert account.refused("ec2:RunInstances", IamInstanceProfile={"Name": "app"}) == "InvalidParameterValue"
    account.seconds += 6
    assert account.refused("ec2:RunInstances", LaunchTemplate=template) == ""


def test_addresses_are_found_by_their_ip_and_by_tags() -> None:
    account = Account(AddressesAreFoundByFilters)
    one, two = (
        {
            "AllocationId": f"eipalloc-{number}",
            "PublicIp": f"192.0.2.{number}",
            "Tags": [{"Key": "Name", "Value": name}],
        }
        for number, name in ((1, "a"), (2, "b"))
    )

    def found(**parameters: Any) -> list[dict[str, Any]]:
        answer = account.call("ec2:DescribeAddresses", {"Addresses": [one, two]}, **parameters)
        return list(answer["Addresses"])

    assert found() == [one, two]
    assert found(PublicIps=["192.0.2.2"]) == found(Filters=[{"Name": "tag:Name", "Values": ["b"]}]) == [two]
    assert found(Filters=[{"Name": "tag:Owner", "Values": ["b"]}]) == []


def test_versions_of_a_launch_template_can_be_deleted() -> None:
    account = Account(VersionsOfTemplatesCanBeDeleted)
    versions = [{"LaunchTemplateId": "lt-1", "VersionNumber": number} for number in (1, 2)]
    answer = account.call("ec2:DeleteLaunchTemplateVersions", LaunchTemplateId="lt-1", Versions=["1"])
    assert answer == {"SuccessfullyDeletedLaunchTemplateVersions": versions[:1]}
    answer = account.call("ec2:DescribeLaunchTemplateVersions", {"LaunchTemplateVersions": versions})
    assert answer == {"LaunchTemplateVersions": versions[1:]}


def test_a_cluster_is_creating_backing_up_and_modifying_and_takes_no_change_meanwhile() -> None:
    account = Account(ClustersTakeTheirTime)
    found = {"DBClusters": [{"DBClusterIdentifier": "main", "Status": "available"}]}

    def status() -> str:
        return str(account.call("rds:DescribeDBClusters", found)["DBClusters"][0]["Status"])

    account.call("rds:CreateDBCluster", DBClusterIdentifier="main")
    assert status() == "creating"
    for call in ("rds:CreateDBInstance", "rds:ModifyDBCluster", "rds:DeleteDBCluster"):
        assert account.refused(call, DBClusterIdentifier="main") == "InvalidDBClusterStateFault"
        assert account.refused(call, DBClusterIdentifier=f"other-{call}") == ""
    account.seconds += 3
    assert status() == "backing-up"
    account.seconds += 3
    assert status() == "available"
    account.call("rds:ModifyDBCluster", DBClusterIdentifier="main")
    assert status() == "modifying"
    assert account.refused("rds:ModifyDBCluster", DBClusterIdentifier="main") == "InvalidDBClusterStateFault"
    account.seconds += 3
    assert account.refused("rds:ModifyDBCluster", DBClusterIdentifier="main") == ""


def test_an_instance_is_creating_and_modifying() -> None:
    account = Account(InstancesTakeTheirTime)
    found = {"DBInstances": [{"DBInstanceIdentifier": "main-1", "DBInstanceStatus": "available"}]}
    account.call("rds:CreateDBInstance", DBInstanceIdentifier="main-1")
    assert account.call("rds:DescribeDBInstances", found)["DBInstances"][0]["DBInstanceStatus"] == "creating"
    assert account.refused("rds:ModifyDBInstance", DBInstanceIdentifier="main-1") == "InvalidDBInstanceState"
    account.seconds += 4
    assert account.call("rds:DescribeDBInstances", found)["DBInstances"][0]["DBInstanceStatus"] == "available"


@pytest.mark.parametrize(
    ("kind", "status", "code", "taken"),
    [
        ("DBCluster", "Status", "InvalidDBClusterStateFault", "DBClusterAlreadyExistsFault"),
        ("DBInstance", "DBInstanceStatus", "InvalidDBInstanceState", "DBInstanceAlreadyExists"),
    ],
)
def test_what_was_deleted_is_deleting_for_a_while(kind: str, status: str, code: str, taken: str) -> None:
    account = Account(DeletedDatabasesAreDeletingFirst)
    main: dict[str, Any] = {f"{kind}Identifier": "main", status: "available", "DBClusterIdentifier": "main"}
    name: dict[str, Any] = {f"{kind}Identifier": "main"}

    def listed(*filters: str) -> list[str]:
        wanted = [{"Name": one.partition("=")[0], "Values": [one.partition("=")[2]]} for one in filters]
        answer = account.call(f"rds:Describe{kind}s", {f"{kind}s": []}, Filters=wanted)
        return [one[status] for one in answer[f"{kind}s"]]

    account.call(f"rds:Describe{kind}s", {f"{kind}s": [main]})
    assert listed() == []
    account.call(f"rds:Delete{kind}", {kind: main}, **name)
    assert account.call(f"rds:Describe{kind}s", **name)[f"{kind}s"][0][status] == "deleting"
    assert listed() == listed("db-cluster-id=main") == ["deleting"]
    assert listed("db-cluster-id=other") == []
    assert account.refused(f"rds:Create{kind}", **name) == taken
    assert account.refused(f"rds:Delete{kind}", **name) == account.refused(f"rds:Modify{kind}", **name) == code
    account.seconds += 4
    assert account.call(f"rds:Describe{kind}s", **name) == {}
    assert listed() == []
    assert account.refused(f"rds:Create{kind}", **name) == ""


def test_the_defaults_of_a_family_are_known_before_there_is_a_group() -> None:
    account = Account(ParametersHaveATypeAndValues)
    call = "rds:DescribeEngineDefaultClusterParameters"
    found = account.call(call, DBParameterGroupFamily="aurora-mysql8.0")["EngineDefaults"]["Parameters"]
    assert {"static", "dynamic"} == {one["ApplyType"] for one in found}
    assert account.call(call, DBParameterGroupFamily="aurora-mysql5.7") == {}


def parameter(name: str, value: str, method: str = "immediate") -> dict[str, str]:
    return {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ([parameter("tls_version", "TLSv1.3")], "InvalidParameterCombination"),
        ([parameter("tls_version", "TLSv1.3", "pending-reboot")], ""),
        ([parameter("tls_version", "TLSv1.0", "pending-reboot")], "InvalidParameterValue"),
        ([parameter("no_such_parameter", "1")], "InvalidParameterValue"),
        ([parameter("datadir", "/", "pending-reboot")], "InvalidParameterValue"),
        # One wrong one refuses them all.
        ([parameter("slow_query_log", "1"), parameter("long_query_time", "-1")], "InvalidParameterValue"),
        ([parameter("slow_query_log", "1")] * 21, "InvalidParameterValue"),
    ],
)
def test_cluster_parameters_have_a_type_and_values(parameters: list[dict[str, str]], code: str) -> None:
    account = Account(ParametersHaveATypeAndValues)
    modify = {"DBClusterParameterGroupName": "main", "Parameters": parameters}
    assert account.refused("rds:ModifyDBClusterParameterGroup", **modify) == code
    found = account.call("rds:DescribeDBClusterParameters", DBClusterParameterGroupName="main", Source="user")
    assert bool(found["Parameters"]) is not bool(code)


def test_a_parameter_that_is_set_to_its_default_has_not_the_source_user() -> None:
    account = Account(ParametersHaveATypeAndValues)
    given = [parameter("local_infile", "1"), parameter("require_secure_transport", "ON")]
    account.call("rds:ModifyDBClusterParameterGroup", DBClusterParameterGroupName="main", Parameters=given)
    found = account.call("rds:DescribeDBClusterParameters", DBClusterParameterGroupName="main")["Parameters"]
    by_name = {one["ParameterName"]: (one.get("ParameterValue"), one["Source"]) for one in found}
    assert by_name["local_infile"] == ("1", "system")
    assert by_name["require_secure_transport"] == ("ON", "user")
    assert by_name["slow_query_log"] == (None, "engine-default")


@pytest.mark.parametrize(
    ("value", "values", "is_allowed"),
    [
        ("1", "0,1", True),
        ("2", "0,1", False),
        ("CONNECT,QUERY_DDL", "CONNECT,QUERY,QUERY_DDL", True),
        ("CONNECT,ALL", "CONNECT,QUERY,QUERY_DDL", False),
        ("300", "1-65535", True),
        ("0", "1-65535", False),
        ("-1", "-1,1-10", True),
        ("anything", "", True),
    ],
)
def test_values_and_ranges_are_read_as_rds_lists_them(value: str, values: str, is_allowed: bool) -> None:
    assert allowed(value, values) is is_allowed


@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("aB3!#$%^&*()_+-=", True),
        ("short7!", False),
        ("x" * 42, False),
        ("with/slash", False),
        ("with@sign", False),
        ('with"quote', False),
        ("with space", False),
        ("wíth-umlaut", False),
    ],
)
def test_master_passwords_have_a_form(password: str, accepted: bool) -> None:
    account = Account(PasswordsHaveAForm)
    assert (account.refused("rds:CreateDBCluster", MasterUserPassword=password) == "") is accepted
    assert (account.refused("rds:ModifyDBCluster", MasterUserPassword=password) == "") is accepted


def test_a_subnet_group_covers_two_zones() -> None:
    account = Account(SubnetGroupsCoverTwoZones)
    for number, zone in enumerate("aab"):
        subnet = {"SubnetId": f"subnet-{number}", "AvailabilityZone": f"eu-west-1{zone}"}
        account.call("ec2:CreateSubnet", {"Subnet": subnet})
    one_zone = account.refused("rds:CreateDBSubnetGroup", SubnetIds=["subnet-0", "subnet-1"])
    assert one_zone == "DBSubnetGroupDoesNotCoverEnoughAZs"
    assert account.refused("rds:CreateDBSubnetGroup", SubnetIds=["subnet-0", "subnet-2"]) == ""


def test_a_final_snapshot_is_named_once_or_expressly_skipped() -> None:
    account = Account(FinalSnapshotsAreAskedFor)
    assert account.refused("rds:DeleteDBCluster", SkipFinalSnapshot=False) == "InvalidParameterCombination"
    both = {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}
    assert account.refused("rds:DeleteDBCluster", **both) == "InvalidParameterCombination"
    assert account.refused("rds:DeleteDBCluster", SkipFinalSnapshot=True) == ""
    assert account.refused("rds:DeleteDBCluster", FinalDBSnapshotIdentifier="last") == ""
    again = account.refused("rds:DeleteDBCluster", FinalDBSnapshotIdentifier="last")
    assert again == "DBClusterSnapshotAlreadyExistsFault"


def test_versions_are_in_full() -> None:
    account = Account(VersionsAreInFull)
    for asked in ("8.0", "8.0.mysql_aurora.3.10", VersionsAreInFull.MINOR):
        found = account.call("rds:DescribeDBClusters", {"DBClusters": [{"EngineVersion": asked}]})
        assert found["DBClusters"][0]["EngineVersion"] == VersionsAreInFull.MINOR
    other = account.call("rds:DescribeDBClusters", {"DBClusters": [{"EngineVersion": "5.7"}]})
    assert other["DBClusters"][0]["EngineVersion"] == "5.7"


@pytest.mark.parametrize("name", ["importer", FUNCTION, f"{FUNCTION}:3"])
def test_a_function_is_pending_and_takes_no_second_update(name: str) -> None:
    account = Account(FunctionsTakeTheirTime)
    found = {"Configuration": {"FunctionName": "importer", "State": "Active", "LastUpdateStatus": "Successful"}}
    account.call("lambda:CreateFunction", FunctionName="importer")
    shown = account.call("lambda:GetFunction", found, FunctionName=name)["Configuration"]
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Pending", "InProgress")
    assert account.refused("lambda:UpdateFunctionCode", FunctionName=name) == "ResourceConflictException"
    account.seconds += 3
    assert account.call("lambda:GetFunction", found, FunctionName=name)["Configuration"]["State"] == "Active"
    account.call("lambda:UpdateFunctionCode", FunctionName=name)
    shown = account.call("lambda:GetFunctionConfiguration", found["Configuration"], FunctionName=name)
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "InProgress")


def test_reserved_concurrency_leaves_a_hundred_to_the_account() -> None:
    account = Account(ReservedConcurrencyLeavesTheAccountItsShare)

    def reserve(function: str, number: int) -> str:
        reserved = {"FunctionName": function, "ReservedConcurrentExecutions": number}
        return account.refused("lambda:PutFunctionConcurrency", **reserved)

    assert reserve("one", 500) == ""
    assert reserve("one", 600) == ""
    assert reserve("two", 301) == "InvalidParameterValueException"
    assert reserve("two", 300) == ""
    account.call("lambda:DeleteFunctionConcurrency", FunctionName="one")
    assert reserve("two", 900) == ""


def test_the_interfaces_of_a_function_keep_its_group_and_longer_with_a_published_version() -> None:
    account = Account(FunctionsKeepTheirInterfaces)
    inside = {"VpcConfig": {"SecurityGroupIds": [GROUP], "SubnetIds": [SUBNET]}}
    outside: dict[str, Any] = {"VpcConfig": {"SecurityGroupIds": [], "SubnetIds": []}}
    account.call("lambda:CreateFunction", FunctionName="importer", **inside)
    account.call("lambda:UpdateFunctionConfiguration", FunctionName="importer", MemorySize=256)
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""
    account.call("lambda:UpdateFunctionConfiguration", FunctionName="importer", **outside)
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == "DependencyViolation"
    assert account.refused("ec2:DeleteSubnet", SubnetId=SUBNET) == "DependencyViolation"
    account.seconds += 6
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""
    account.call("lambda:UpdateFunctionConfiguration", FunctionName="importer", **inside)
    for version in "12":
        account.call("lambda:UpdateFunctionCode", {"Version": version}, FunctionName="importer", Publish=True)
    account.call("lambda:UpdateFunctionConfiguration", FunctionName="importer", **outside)
    account.seconds += 6
    account.call("lambda:DeleteFunction", FunctionName="importer", Qualifier="1")
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == "DependencyViolation"
    account.call("lambda:DeleteFunction", FunctionName="importer", Qualifier="2")
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""


def notifications(*rules: tuple[str, str, str]) -> dict[str, Any]:
    """Return a notification configuration with a rule for each prefix, suffix and event."""
    return {
        "Bucket": "uploads",
        "NotificationConfiguration": {
            "LambdaFunctionConfigurations": [
                {
                    "LambdaFunctionArn": FUNCTION,
                    "Events": [event],
                    "Filter": {
                        "Key": {
                            "FilterRules": [{"Name": "Prefix", "Value": prefix}, {"Name": "Suffix", "Value": suffix}]
                        }
                    },
                }
                for prefix, suffix, event in rules
            ]
        },
    }


CREATED, PUT, REMOVED = "s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*"


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ([("", ".csv", CREATED), ("", ".CSV", CREATED)], False),
        ([("", ".csv", CREATED), ("in/", ".csv", CREATED)], True),
        ([("in/", ".csv", CREATED), ("out/", ".csv", CREATED)], False),
        ([("", ".csv", CREATED), ("", ".csv", REMOVED)], False),
        ([("", ".csv", CREATED), ("", "", PUT)], True),
        ([("in/", "", CREATED), ("", ".csv", CREATED)], True),
    ],
)
def test_notifications_of_one_event_may_not_overlap(rules: list[tuple[str, str, str]], refused: bool) -> None:
    account = Account(NotificationsMayNotOverlap)
    code = account.refused("s3:PutBucketNotificationConfiguration", **notifications(*rules))
    assert code == ("InvalidArgument" if refused else "")


def test_s3_refuses_a_function_that_it_may_not_invoke_or_does_not_know_that_it_may() -> None:
    account = Account(S3ChecksItsDestinations)
    wanted = notifications(("", ".csv", CREATED))

    def allow(statement: str, service: str, bucket: str) -> None:
        document = json.dumps({"Principal": {"Service": service}})
        given = {"FunctionName": "importer", "StatementId": statement, "SourceArn": f"arn:aws:s3:::{bucket}"}
        account.call("lambda:AddPermission", {"Statement": document}, **given)

    assert account.refused("s3:PutBucketNotificationConfiguration", **wanted) == "InvalidArgument"
    allow("other-bucket", "s3.amazonaws.com", "other")
    allow("other-service", "events.amazonaws.com", "uploads")
    account.seconds += 4
    assert account.refused("s3:PutBucketNotificationConfiguration", **wanted) == "InvalidArgument"
    allow("bucket", "s3.amazonaws.com", "uploads")
    assert account.refused("s3:PutBucketNotificationConfiguration", **wanted) == "InvalidArgument"
    account.seconds += 4
    assert account.refused("s3:PutBucketNotificationConfiguration", **wanted) == ""
    # Of one version: the function, and what may invoke it, stay.
    account.call("lambda:DeleteFunction", FunctionName="importer", Qualifier="3")
    assert account.refused("s3:PutBucketNotificationConfiguration", **wanted) == ""
    account.call("lambda:RemovePermission", FunctionName="importer", StatementId="bucket")
    assert account.refused("s3:PutBucketNotificationConfiguration", **wanted) == "InvalidArgument"


def test_faults_come_as_often_as_asked_and_are_the_same_for_the_same_seed() -> None:
    call = Call("ec2", "DescribeVpcs", {})

    def course(seed: int) -> list[tuple[bool, str]]:
        faults = Faults(seed, throttled=0.1, cut=0.05)
        return [(faults.refuse(call) is not None, faults.cuts()) for _ in range(2000)]

    assert course(1) == course(1) != course(2)
    assert 150 < sum(refused for refused, _ in course(1)) < 250
    assert {cut for _, cut in course(1)} == {"", "before", "after"}
    assert Faults(1).refuse(call) is None


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Callable[[str], Any], Path]]:
    """A function that returns a client of an emulator behind the layer, and the record of what was refused."""
    folder = tmp_path_factory.mktemp("strict")
    with servers.strict_ministack(folder, pace=1.0) as url:

        def client(service: str) -> Any:
            return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
                service,
                region_name=servers.REGION,
                endpoint_url=url,
                aws_access_key_id="test",
                aws_secret_access_key=servers.SECRET,
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
            )

        yield client, folder / "strict.jsonl"


BAD: list[tuple[str, str, dict[str, Any], str]] = [
    # One of each protocol: ec2, query, json 1.0 and 1.1, rest-json, rest-xml.
    ("ec2", "create_vpc", {"InstanceTenancy": "shared"}, "InstanceTenancy has to be one of default, dedicated, host"),
    ("iam", "get_role", {"RoleName": "a role"}, "RoleName does not match"),
    ("logs", "create_log_group", {"logGroupName": "x" * 513}, "logGroupName has 513 characters, more than 512"),
    ("dynamodb", "list_tables", {"Limit": 1000}, "Limit is 1000, more than 100"),
    ("lambda", "get_function", {"FunctionName": "f" * 300}, "FunctionName has 300 characters, more than 256"),
    ("secretsmanager", "create_secret", {"SecretString": "x"}, "the call lacks Name"),
    ("sqs", "create_queue", {}, "the call lacks QueueName"),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "said"), BAD)
def test_calls_have_the_form_of_their_model_in_each_protocol(
    strict: tuple[Callable[[str], Any], Path], service: str, operation: str, parameters: dict[str, Any], said: str
) -> None:
    client, record = strict
    with pytest.raises(ClientError) as refused:
        getattr(client(service), operation)(**parameters)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert said in refused.value.response["Error"]["Message"]
    assert json.loads(record.read_text().splitlines()[-1])["rule"] == "CallsHaveTheirForm"


def test_refusals_and_changed_answers_are_read_by_the_sdk(strict: tuple[Callable[[str], Any], Path]) -> None:
    client, _ = strict
    s3, rds = client("s3"), client("rds")
    s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": servers.REGION})
    with pytest.raises(ClientError, match="InvalidArgument"):
        s3.put_bucket_notification_configuration(**notifications(("", ".csv", CREATED)))
    group = {"DBClusterParameterGroupName": "main"}
    rds.create_db_cluster_parameter_group(**group, DBParameterGroupFamily="aurora-mysql8.0", Description="Of the test")
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        rds.modify_db_cluster_parameter_group(**group, Parameters=[parameter("tls_version", "TLSv1.3")])
    rds.modify_db_cluster_parameter_group(**group, Parameters=[parameter("require_secure_transport", "ON")])
    found = rds.describe_db_cluster_parameters(**group, Source="user")["Parameters"]
    assert [one["ParameterName"] for one in found] == ["require_secure_transport"]
    # Objects of any key and size are the emulator's.
    for key, body in (("a b+ü/ä.csv", b"x"), ("empty", b""), ("large", b"x" * 3_000_000)):
        s3.put_object(Bucket="uploads", Key=key, Body=body)
        assert s3.get_object(Bucket="uploads", Key=key)["Body"].read() == body


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("ec2", "describe_vpcs", "RequestLimitExceeded", 503),
        ("s3", "list_buckets", "SlowDown", 503),
        ("rds", "describe_db_clusters", "Throttling", 400),
        ("lambda", "list_functions", "TooManyRequestsException", 429),
        ("logs", "describe_log_groups", "ThrottlingException", 400),
    ],
)
def test_calls_over_the_limit_are_answered_as_the_sdk_knows_it(
    throttled: Callable[[str], Any], service: str, operation: str, code: str, status: int
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(throttled(service), operation)()
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    # Tried again by the SDK: it knows that the same call can succeed.
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.fixture(scope="module")
def throttled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """A function that returns a client of an emulator that refuses every call for its rate."""
    with servers.strict_ministack(tmp_path_factory.mktemp("throttled"), throttled=1.0) as url:

        def client(service: str) -> Any:
            return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
                service,
                region_name=servers.REGION,
                endpoint_url=url,
                aws_access_key_id="test",
                aws_secret_access_key=servers.SECRET,
                config=Config(retries={"total_max_attempts": 2}),
            )

        yield client


def test_a_connection_that_is_cut_ends_without_an_answer_and_the_sdk_tries_again(tmp_path: Path) -> None:
    with servers.strict_ministack(tmp_path, seed=1, cut=0.4) as url:
        client = boto3.client(
            "sts",
            region_name=servers.REGION,
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key=servers.SECRET,
            config=Config(retries={"total_max_attempts": 15, "mode": "standard"}),
        )
        assert [client.get_caller_identity()["Account"] for _ in range(5)] == ["000000000000"] * 5
    noted = [json.loads(line) for line in (tmp_path / "strict.jsonl").read_text().splitlines()]
    assert {one["rule"] for one in noted} == {"cut"}


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("ec2:RunInstances", {"InstanceType": "t4g.micro"}, ""),
        ("ec2:RunInstances", {"InstanceType": "t4g.tiny"}, "InvalidParameterValue"),
        ("ec2:ModifyInstanceAttribute", {"InstanceType": {"Value": "t4g.tiny"}}, "InvalidParameterValue"),
        ("rds:CreateDBInstance", {"DBInstanceClass": "db.t4g.medium"}, ""),
        # Of MySQL, and not of Aurora.
        ("rds:CreateDBInstance", {"DBInstanceClass": "db.t4g.micro"}, "InvalidParameterValue"),
        ("rds:ModifyDBInstance", {"DBInstanceClass": "db.t4g.micro"}, "InvalidParameterValue"),
        ("rds:CreateDBCluster", {"EngineVersion": "8.0.mysql_aurora.3.10.1"}, ""),
        ("rds:CreateDBCluster", {"EngineVersion": "8.0.mysql_aurora.3.10.99"}, "InvalidParameterCombination"),
        ("lambda:CreateFunction", {"Runtime": "python3.13", "Architectures": ["arm64"]}, ""),
        ("lambda:CreateFunction", {"Runtime": "python3.7"}, "InvalidParameterValueException"),
        ("lambda:UpdateFunctionCode", {"Architectures": ["arm32"]}, "InvalidParameterValueException"),
    ],
)
def test_values_exist_in_the_region(name: str, parameters: dict[str, Any], code: str) -> None:
    assert Account(ValuesExistInTheRegion).refused(name, **parameters) == code


def test_what_exists_in_one_region_does_not_in_another() -> None:
    rule = ValuesExistInTheRegion()
    refused = {
        region: rule.refuse(Call("rds", "CreateDBInstance", {"DBInstanceClass": "db.x2g.large"}, region)) is not None
        for region in ("eu-west-1", "eu-central-1")
    }
    assert refused == {"eu-west-1": False, "eu-central-1": True}


def test_a_launch_template_may_have_a_wrong_type_and_no_instance_comes_of_it() -> None:
    account = Account(ValuesExistInTheRegion)
    answer = {"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}
    created = account.call("ec2:CreateLaunchTemplate", answer, LaunchTemplateData={"InstanceType": "t4g.tiny"})
    assert created == answer
    template = {"LaunchTemplateId": "lt-0123456789abcdef0"}
    assert account.refused("ec2:RunInstances", LaunchTemplate=template) == "InvalidParameterValue"
    assert account.refused("ec2:RunInstances", LaunchTemplate=template, InstanceType="t4g.micro") == ""


INSTANCE = "i-0123456789abcdef0"
TAGS = [{"Key": "Environment", "Value": "dev"}, {"Key": "Project", "Value": "csv-to-aurora"}]
ENVIRONMENT = {"TagFilters": [{"Key": "Environment", "Values": ["dev"]}]}


def listed(account: Account, *there: str, **parameters: Any) -> list[str]:
    """Return the ARNs that the tagging API lists, of which the emulator has those ``there``."""
    content = {"ResourceTagMappingList": [{"ResourceARN": one, "Tags": TAGS} for one in there], "PaginationToken": ""}
    found = account.call("resourcegroupstaggingapi:GetResources", content, **parameters)
    return [one["ResourceARN"] for one in found["ResourceTagMappingList"]]


def test_tags_of_deleted_resources_linger() -> None:
    account = Account(TagsOfDeletedResourcesLinger)
    account.call("ec2:RunInstances", {"Instances": [{"InstanceId": INSTANCE, "Tags": TAGS}]})
    specification = [{"ResourceType": "natgateway", "Tags": TAGS}, {"ResourceType": "volume", "Tags": []}]
    gateway = {"NatGateway": {"NatGatewayId": GATEWAY}}
    account.call("ec2:CreateNatGateway", gateway, TagSpecifications=specification)
    account.call("lambda:CreateFunction", {"FunctionName": "importer", "FunctionArn": FUNCTION}, Tags={"Other": "one"})
    assert listed(account, FUNCTION) == [FUNCTION]
    account.call("ec2:TerminateInstances", InstanceIds=[INSTANCE])
    account.call("ec2:DeleteNatGateway", NatGatewayId=GATEWAY)
    account.call("lambda:DeleteFunction", FunctionName="importer")
    gone = [
        f"arn:aws:ec2:eu-west-1:000000000000:instance/{INSTANCE}",
        f"arn:aws:ec2:eu-west-1:000000000000:natgateway/{GATEWAY}",
    ]
    assert listed(account) == [*gone, FUNCTION]
    assert listed(account, **ENVIRONMENT) == gone
    assert listed(account, **ENVIRONMENT, ResourceTypeFilters=["ec2:instance"]) == gone[:1]
    assert listed(account, ResourceTypeFilters=["lambda"]) == [FUNCTION]
    assert listed(account, ResourceARNList=gone[1:]) == gone[1:]
    assert listed(account, gone[0], **ENVIRONMENT) == gone
    account.seconds += 61
    assert listed(account) == []


def test_what_is_created_again_does_not_linger() -> None:
    account = Account(TagsOfDeletedResourcesLinger)
    created = {"FunctionName": "importer", "FunctionArn": FUNCTION}
    account.call("lambda:CreateFunction", created, Tags={"Environment": "dev"})
    account.call("lambda:DeleteFunction", FunctionName="importer")
    account.call("lambda:CreateFunction", created, Tags={"Environment": "stage"})
    assert listed(account, **ENVIRONMENT) == []


def test_a_secret_keeps_its_name_in_its_recovery_window_and_a_moment_without_one() -> None:
    account = Account(SecretsKeepTheirNames)

    def delete(**how: Any) -> None:
        account.call("secretsmanager:DeleteSecret", {"Name": "login"}, SecretId="arn:of-login", **how)

    delete(RecoveryWindowInDays=7)
    account.seconds += 1000
    assert account.refused("secretsmanager:CreateSecret", Name="login") == "InvalidRequestException"
    assert account.refused("secretsmanager:CreateSecret", Name="login-2") == ""
    account.call("secretsmanager:DescribeSecret", {"Name": "login", "DeletedDate": "2026-01-01"})
    assert account.refused("secretsmanager:CreateSecret", Name="login") == "InvalidRequestException"
    account.call("secretsmanager:RestoreSecret", {"Name": "login"})
    delete(ForceDeleteWithoutRecovery=True)
    assert account.refused("secretsmanager:CreateSecret", Name="login") == "InvalidRequestException"
    account.seconds += 3
    assert account.refused("secretsmanager:CreateSecret", Name="login") == ""


def test_an_instance_of_aurora_has_the_storage_of_its_cluster() -> None:
    account = Account(StorageIsTheClusters)
    found = {"DBInstances": [{"Engine": engine, "StorageType": "gp2"} for engine in ("aurora-mysql", "mysql")]}
    aurora, other = account.call("rds:DescribeDBInstances", found)["DBInstances"]
    assert aurora == {"Engine": "aurora-mysql", "StorageType": "aurora", "AllocatedStorage": 1}
    assert other["StorageType"] == "gp2"


def test_aws_selects_the_windows_that_nobody_gave() -> None:
    account = Account(WindowsAreAssigned)
    emulators = {"PreferredBackupWindow": "03:00-04:00", "PreferredMaintenanceWindow": "sun:05:00-sun:06:00"}
    cluster = {"DBClusterArn": "arn:main", **emulators}
    account.call("rds:CreateDBCluster", {"DBCluster": cluster}, DBClusterIdentifier="main")

    def shown() -> dict[str, str]:
        return dict(account.call("rds:DescribeDBClusters", {"DBClusters": [cluster]})["DBClusters"][0])

    assert re.fullmatch(r"(2[23]|0[01]):[03]0-(2[23]|0[0-2]):[03]0", shown()["PreferredBackupWindow"])
    assert re.fullmatch(r"([a-z]{3}):0[2-5]:[03]0-\1:0[2-6]:[03]0", shown()["PreferredMaintenanceWindow"])
    # Those that somebody gives stay.
    account.call("rds:ModifyDBCluster", {"DBCluster": cluster}, PreferredBackupWindow="03:00-04:00")
    assert shown()["PreferredBackupWindow"] == "03:00-04:00"
    assert shown()["PreferredMaintenanceWindow"] != "sun:05:00-sun:06:00"


def test_a_new_class_is_pending_at_first() -> None:
    account = Account(ClassesArePendingAtFirst)

    def shown(operation: str, kind: str) -> tuple[str, dict[str, str]]:
        instance = {"DBInstanceIdentifier": "main-1", "DBInstanceClass": kind, "PendingModifiedValues": {}}
        member = {"DBInstances": [instance]} if operation.startswith("Describe") else {"DBInstance": instance}
        answer = account.call(f"rds:{operation}", member)
        found = answer.get("DBInstance") or answer["DBInstances"][0]
        return found["DBInstanceClass"], found["PendingModifiedValues"]

    assert shown("CreateDBInstance", "db.t4g.medium") == ("db.t4g.medium", {})
    for operation in ("ModifyDBInstance", "DescribeDBInstances"):
        assert shown(operation, "db.r6g.large") == ("db.t4g.medium", {"DBInstanceClass": "db.r6g.large"})
    account.seconds += 3
    assert shown("DescribeDBInstances", "db.r6g.large") == ("db.r6g.large", {})


def test_an_instance_is_pending_before_it_runs_and_shutting_down_before_it_is_terminated() -> None:
    account = Account(InstancesShutDown)

    def state(name: str) -> str:
        instance = {"InstanceId": INSTANCE, "State": {"Name": name}}
        found = account.call("ec2:DescribeInstances", {"Reservations": [{"Instances": [instance]}]})
        return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])

    account.call("ec2:RunInstances", {"Instances": [{"InstanceId": INSTANCE}]})
    assert state("running") == "pending"
    account.seconds += 4
    assert state("running") == "running"
    ended = {"TerminatingInstances": [{"InstanceId": INSTANCE, "CurrentState": {"Code": 48, "Name": "terminated"}}]}
    answer = account.call("ec2:TerminateInstances", ended)
    assert answer["TerminatingInstances"][0]["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    assert state("terminated") == "shutting-down"
    account.seconds += 4
    assert state("terminated") == "terminated"


USERS: list[tuple[tuple[str, dict[str, Any], dict[str, Any]], tuple[str, dict[str, Any], dict[str, Any]]]] = [
    (
        ("ec2:RunInstances", {"Instances": [{"InstanceId": INSTANCE, "SecurityGroups": [{"GroupId": GROUP}]}]}, {}),
        ("ec2:TerminateInstances", {"TerminatingInstances": [{"InstanceId": INSTANCE}]}, {}),
    ),
    (
        ("ec2:CreateVpcEndpoint", {"VpcEndpoint": {"VpcEndpointId": ENDPOINT, "Groups": [{"GroupId": GROUP}]}}, {}),
        ("ec2:DeleteVpcEndpoints", {}, {"VpcEndpointIds": [ENDPOINT]}),
    ),
    (
        ("lambda:CreateFunction", {}, {"FunctionName": "importer", "VpcConfig": {"SecurityGroupIds": [GROUP]}}),
        ("lambda:UpdateFunctionConfiguration", {}, {"FunctionName": "importer", "VpcConfig": {"SubnetIds": []}}),
    ),
    (
        (
            "rds:CreateDBCluster",
            {"DBCluster": {"DBClusterIdentifier": "main", "VpcSecurityGroups": [{"VpcSecurityGroupId": GROUP}]}},
            {},
        ),
        ("rds:DeleteDBCluster", {"DBCluster": {"DBClusterIdentifier": "main"}}, {}),
    ),
    (
        (
            "ec2:AuthorizeSecurityGroupIngress",
            {},
            {"GroupId": "sg-other", "IpPermissions": [{"UserIdGroupPairs": [{"GroupId": GROUP}]}]},
        ),
        ("ec2:DeleteSecurityGroup", {}, {"GroupId": "sg-other"}),
    ),
    (
        (
            "ec2:DescribeSecurityGroups",
            {
                "SecurityGroups": [
                    {"GroupId": "sg-other", "IpPermissionsEgress": [{"UserIdGroupPairs": [{"GroupId": GROUP}]}]}
                ]
            },
            {},
        ),
        (
            "ec2:RevokeSecurityGroupEgress",
            {},
            {"GroupId": "sg-other", "IpPermissions": [{"UserIdGroupPairs": [{"GroupId": GROUP}]}]},
        ),
    ),
]


@pytest.mark.parametrize(("starts", "ends"), USERS, ids=lambda call: call[0])
def test_a_group_that_something_uses_stays(
    starts: tuple[str, dict[str, Any], dict[str, Any]], ends: tuple[str, dict[str, Any], dict[str, Any]]
) -> None:
    account = Account(GroupsInUseStay)
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""
    account.call(starts[0], starts[1], **starts[2])
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == "DependencyViolation"
    account.call(ends[0], ends[1], **ends[2])
    account.seconds += 4
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == ""


def test_an_instance_that_is_shutting_down_keeps_its_group_and_a_group_may_name_itself() -> None:
    account = Account(GroupsInUseStay)
    (_, created, _), (_, ended, _) = USERS[0]
    account.call("ec2:RunInstances", created)
    account.call("ec2:TerminateInstances", ended)
    assert account.refused("ec2:DeleteSecurityGroup", GroupId=GROUP) == "DependencyViolation"
    itself = [{"UserIdGroupPairs": [{"GroupId": "sg-itself"}]}]
    account.call("ec2:AuthorizeSecurityGroupIngress", GroupId="sg-itself", IpPermissions=itself)
    assert account.refused("ec2:DeleteSecurityGroup", GroupId="sg-itself") == ""


def test_groups_that_a_cluster_has_stay() -> None:
    account = Account(GroupsOfDatabasesInUseStay)
    cluster = {"DBClusterIdentifier": "main", "DBSubnetGroup": "subnets", "DBClusterParameterGroup": "parameters"}
    account.call("rds:CreateDBCluster", {"DBCluster": cluster})

    def refused() -> list[str]:
        return [
            account.refused("rds:DeleteDBSubnetGroup", DBSubnetGroupName="subnets"),
            account.refused("rds:DeleteDBClusterParameterGroup", DBClusterParameterGroupName="parameters"),
            account.refused("rds:DeleteDBSubnetGroup", DBSubnetGroupName="others"),
        ]

    assert refused() == ["InvalidDBSubnetGroupStateFault", "InvalidDBParameterGroupState", ""]
    account.call("rds:DeleteDBCluster", {"DBCluster": cluster}, DBClusterIdentifier="main")
    assert refused() == ["InvalidDBSubnetGroupStateFault", "InvalidDBParameterGroupState", ""]
    account.seconds += 4
    assert refused() == ["", "", ""]


@pytest.mark.parametrize(
    ("attached", "connectivity", "state"),
    [(True, "public", "available"), (False, "public", "failed"), (False, "private", "available")],
)
def test_a_public_nat_gateway_needs_an_internet_gateway(attached: bool, connectivity: str, state: str) -> None:
    account = Account(PublicNatGatewaysNeedAnInternetGateway)
    if attached:
        account.call("ec2:AttachInternetGateway", VpcId=VPC)
    created = {"NatGateway": {"NatGatewayId": GATEWAY, "VpcId": VPC}}
    account.call("ec2:CreateNatGateway", created, ConnectivityType=connectivity)
    found = {"NatGateways": [{"NatGatewayId": GATEWAY, "VpcId": VPC, "State": "available"}]}
    gateway = account.call("ec2:DescribeNatGateways", found)["NatGateways"][0]
    assert (gateway["State"], gateway.get("FailureCode") == "Gateway.NotAttached") == (state, state == "failed")


def test_an_internet_gateway_stays_as_long_as_something_has_a_public_address() -> None:
    account = Account(InternetGatewaysStayWithPublicAddresses)
    account.call("ec2:CreateNatGateway", {"NatGateway": {"NatGatewayId": GATEWAY, "VpcId": VPC}})
    instance = {"InstanceId": INSTANCE, "VpcId": VPC, "PublicIpAddress": "192.0.2.1", "State": {"Name": "running"}}
    account.call("ec2:DescribeInstances", {"Reservations": [{"Instances": [instance]}]})

    def detach() -> str:
        return account.refused("ec2:DetachInternetGateway", VpcId=VPC)

    account.call("ec2:DeleteNatGateway", NatGatewayId=GATEWAY)
    account.seconds += 6
    assert detach() == "DependencyViolation"
    assert account.refused("ec2:DetachInternetGateway", VpcId="vpc-other") == ""
    account.call("ec2:TerminateInstances", {"TerminatingInstances": [{"InstanceId": INSTANCE}]})
    assert detach() == "DependencyViolation"
    account.seconds += 6
    assert detach() == ""


def test_what_lingers_is_read_by_the_sdk(strict: tuple[Callable[[str], Any], Path]) -> None:
    client, _ = strict
    secrets = client("secretsmanager")
    new = {"Name": "lingering", "SecretString": "x", "Tags": TAGS}
    arn = secrets.create_secret(**new)["ARN"]
    secrets.delete_secret(SecretId="lingering", RecoveryWindowInDays=7)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        secrets.create_secret(**new)
    secrets.delete_secret(SecretId="lingering", ForceDeleteWithoutRecovery=True)
    found = client("resourcegroupstaggingapi").get_resources(**ENVIRONMENT)["ResourceTagMappingList"]
    assert found == [{"ResourceARN": arn, "Tags": TAGS}]


def test_answers_about_databases_are_read_by_the_sdk(strict: tuple[Callable[[str], Any], Path]) -> None:
    client, _ = strict
    rds = client("rds")
    cluster = {"DBClusterIdentifier": "assigned", "Engine": "aurora-mysql"}
    rds.create_db_cluster(**cluster, MasterUsername="owner", MasterUserPassword="x" * 8)
    assert rds.describe_db_clusters()["DBClusters"][0]["PreferredBackupWindow"] != "03:00-04:00"
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        rds.modify_db_cluster(DBClusterIdentifier="other", EngineVersion="8.0.mysql_aurora.3.99.0")


def test_the_role_of_a_function_in_a_vpc_may_make_network_interfaces() -> None:
    account = Account(RolesInAVpcNeedPermissions)
    inside = {"Role": "arn:aws:iam::123456789012:role/importer", "VpcConfig": {"SubnetIds": [SUBNET]}}

    def put(policy: str, actions: str | list[str]) -> None:
        document = json.dumps({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
        account.call("iam:PutRolePolicy", RoleName="importer", PolicyName=policy, PolicyDocument=document)
        account.seconds += 4

    def refused() -> str:
        return account.refused("lambda:CreateFunction", **inside)

    # Whose policies nobody has seen is not judged.
    assert refused() == ""
    account.call("iam:CreateRole", RoleName="importer")
    assert refused() == "InvalidParameterValueException"
    assert account.refused("lambda:CreateFunction", Role=inside["Role"]) == ""
    put("one", ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces"])
    assert refused() == "InvalidParameterValueException"
    put("two", "ec2:Delete*")
    assert refused() == ""
    # What is set again as it was takes no time.
    put("two", "ec2:Delete*")
    account.seconds -= 4
    assert refused() == ""
    account.call("iam:DeleteRolePolicy", RoleName="importer", PolicyName="two")
    assert refused() == "InvalidParameterValueException"
    account.call("iam:AttachRolePolicy", RoleName="importer", PolicyArn=RolesInAVpcNeedPermissions.MANAGED)
    assert refused() == "InvalidParameterValueException"
    account.seconds += 4
    assert refused() == ""
