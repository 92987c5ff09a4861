"""Changes of a running stack outside of Ansible, and the lines that a plan has to show for each.

The lines of a scenario are the resource itself and, with the reason, what depends on it. docs/proofs.md says how to add
one.
"""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import local_mail
from botocore import xform_name

from tests.e2e.conftest import ACCOUNT, FUNCTION

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

STACK = "csv-to-aurora-local"
ZONE = "eu-west-1a"
LAST_ZONE = "eu-west-1b"
CONFIG = "mysql_client: update file /home/admin/.my.cnf"
PACKAGES = "mysql_client: create packages default-mysql-client"
HAND = {"Key": "ManagedBy", "Value": "hand"}


class Operator:
    """Somebody with all permissions in AWS, an SQL prompt and a shell on the host."""

    def __init__(self, stack: Stack) -> None:
        """Work on ``stack``."""
        self.stack = stack

    def __getattr__(self, service: str) -> Any:
        """Return a boto3 client of the root user: ec2, rds, iam, s3, sqs, logs, cloudwatch, secretsmanager."""
        return self.client(service)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the root user."""
        return self.stack.client(service)

    def id(self, what: str, name: str) -> str:
        """The id of the EC2 resource of a type, such as Subnet, whose tag Name has this value."""
        operation = xform_name(f"Describe{what}s")
        found = getattr(self.ec2, operation)(Filters=[{"Name": "tag:Name", "Values": [name]}])[f"{what}s"]
        assert len(found) == 1, f"{len(found)} of {what} {name}"
        return str(found[0][f"{what}Id"])

    def group(self, name: str) -> dict[str, Any]:
        """The security group of a name in the stack's VPC."""
        filters = {"group-name": name, "vpc-id": self.id("Vpc", STACK)}
        answer = self.ec2.describe_security_groups(Filters=[{"Name": k, "Values": [v]} for k, v in filters.items()])
        return dict(answer["SecurityGroups"][0])

    def nat_gateway(self) -> dict[str, Any]:
        """The stack's NAT gateway."""
        answer = self.ec2.describe_nat_gateways(Filters=[{"Name": "state", "Values": ["available"]}])
        return dict(answer["NatGateways"][0])

    def instance(self) -> dict[str, Any]:
        """The app host."""
        filters = [{"Name": "instance-state-name", "Values": ["running"]}]
        return dict(self.ec2.describe_instances(Filters=filters)["Reservations"][0]["Instances"][0])

    def queue(self) -> str:
        """The dead-letter queue's URL."""
        return str(self.sqs.get_queue_url(QueueName=f"{FUNCTION}-dead-letters")["QueueUrl"])

    def subscription(self, topic: str) -> str:
        """The ARN of the operators' subscription to a topic, once they have confirmed it."""
        local_mail.confirm(local_mail.inbox(self.stack.folder))
        (found,) = self.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return str(found["SubscriptionArn"])

    def tag(self, identifier: str) -> None:
        """Change a tag of an EC2 resource."""
        self.ec2.create_tags(Resources=[identifier], Tags=[HAND])

    def untag(self, identifier: str) -> None:
        """Remove a tag of an EC2 resource."""
        self.ec2.delete_tags(Resources=[identifier], Tags=[{"Key": "ManagedBy"}])

    def function(self, **changes: Any) -> None:
        """Change the function's configuration."""
        client = self.client("lambda")
        client.update_function_configuration(FunctionName=FUNCTION, **changes)
        client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)

    def cluster(self, **changes: Any) -> None:
        """Change the database cluster's configuration."""
        self.rds.modify_db_cluster(DBClusterIdentifier=STACK, **changes)
        self.rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier=STACK, WaiterConfig={"Delay": 1})

    def policy(self, role: str, name: str, *, drop: int = 0) -> None:
        """Replace the action of a statement in an IAM role's policy."""
        document = self.iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        document["Statement"][drop]["Action"] = "s3:ListAllMyBuckets"
        self.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))

    def shell(self, command: str) -> None:
        """Run a command as root on the host."""
        subprocess.run(
            [
                "ssh",
                *("-i", str(self.stack.folder / "ssh/id_ed25519")),
                *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
                f"admin@{self.instance()['PublicIpAddress']}",
                f"sudo sh -ec {json.dumps(command)}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )


@dataclass(frozen=True)
class DriftScenario:
    """One change by hand, and the lines that it adds to a plan: ``role: action kind name``."""

    name: str
    change: Callable[[Operator], None]
    plan: frozenset[str]

    @property
    def roles(self) -> set[str]:
        """The roles that revert it."""
        return {line.partition(":")[0] for line in self.plan}

    @property
    def touches(self) -> set[str]:
        """The resources, whatever the action."""
        return {f"{role}: {what.partition(' ')[2]}" for role, _, what in (line.partition(": ") for line in self.plan)}


ALL: list[DriftScenario] = []


def names(*lines: str) -> Callable[[Callable[[Operator], None]], Callable[[Operator], None]]:
    """Add a function to ALL as a scenario whose plan has ``lines``."""

    def enter(change: Callable[[Operator], None]) -> Callable[[Operator], None]:
        ALL.append(DriftScenario(change.__name__, change, frozenset(lines)))
        return change

    return enter


# The network


@names(f"network: update VPC {STACK}")
def vpc_tag_changed(operator: Operator) -> None:
    operator.tag(operator.id("Vpc", STACK))


@names(f"network: update VPC {STACK}")
def vpc_dns_hostnames_disabled(operator: Operator) -> None:
    operator.ec2.modify_vpc_attribute(VpcId=operator.id("Vpc", STACK), EnableDnsHostnames={"Value": False})


@names(f"network: update security group {STACK}-default")
def default_group_rule_added(operator: Operator) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    operator.ec2.authorize_security_group_ingress(GroupId=operator.group("default")["GroupId"], IpPermissions=[rule])


@names(f"network: update internet gateway {STACK}")
def internet_gateway_tag_removed(operator: Operator) -> None:
    operator.untag(operator.id("InternetGateway", STACK))


@names(f"network: update subnet {STACK}-private-{ZONE}")
def subnet_tag_changed(operator: Operator) -> None:
    operator.tag(operator.id("Subnet", f"{STACK}-private-{ZONE}"))


@names(f"network: update subnet {STACK}-private-{ZONE}")
def subnet_assigns_public_addresses(operator: Operator) -> None:
    subnet = operator.id("Subnet", f"{STACK}-private-{ZONE}")
    operator.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})


@names(f"network: update Elastic IP address {STACK}-nat-{ZONE}")
def address_tag_changed(operator: Operator) -> None:
    operator.tag(operator.ec2.describe_addresses()["Addresses"][0]["AllocationId"])


@names(f"network: update NAT gateway {STACK}-nat-{ZONE}")
def nat_gateway_tag_removed(operator: Operator) -> None:
    operator.untag(operator.nat_gateway()["NatGatewayId"])


@names(f"network: update route table {STACK}-private")
def route_deleted(operator: Operator) -> None:
    table = operator.id("RouteTable", f"{STACK}-private")
    operator.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")


@names(f"network: update route table {STACK}-public")
def route_added(operator: Operator) -> None:
    operator.ec2.create_route(
        RouteTableId=operator.id("RouteTable", f"{STACK}-public"),
        DestinationCidrBlock="192.0.2.0/24",
        GatewayId=operator.id("InternetGateway", STACK),
    )


@names(
    f"network: create subnet {STACK}-public-{LAST_ZONE}",
    # Its association with the route table is deleted with it.
    f"network: update route table {STACK}-public",
)
def subnet_deleted(operator: Operator) -> None:
    operator.ec2.delete_subnet(SubnetId=operator.id("Subnet", f"{STACK}-public-{LAST_ZONE}"))


@names(
    f"network: create NAT gateway {STACK}-nat-{ZONE}",
    # Its default route leads to the gateway, which has another id now.
    f"network: update route table {STACK}-private",
)
def nat_gateway_deleted(operator: Operator) -> None:
    operator.ec2.delete_nat_gateway(NatGatewayId=operator.nat_gateway()["NatGatewayId"])


@names(f"network: create VPC endpoint {STACK}-s3")
def endpoint_deleted(operator: Operator) -> None:
    vpc = {"Name": "vpc-id", "Values": [operator.id("Vpc", STACK)]}
    endpoint = operator.ec2.describe_vpc_endpoints(Filters=[vpc])["VpcEndpoints"][0]
    operator.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])


@names(f"network: create flow log {STACK}")
def flow_log_deleted(operator: Operator) -> None:
    operator.ec2.delete_flow_logs(FlowLogIds=[operator.ec2.describe_flow_logs()["FlowLogs"][0]["FlowLogId"]])


@names(f"network: update log group /{STACK}/flow-logs")
def flow_logs_never_expire(operator: Operator) -> None:
    operator.logs.delete_retention_policy(logGroupName=f"/{STACK}/flow-logs")


@names(f"network: update IAM role {STACK}-flow-logs")
def flow_log_role_may_read_everything(operator: Operator) -> None:
    operator.iam.attach_role_policy(RoleName=f"{STACK}-flow-logs", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")


@names(f"network: update IAM role {STACK}-flow-logs")
def flow_log_role_without_boundary(operator: Operator) -> None:
    operator.iam.delete_role_permissions_boundary(RoleName=f"{STACK}-flow-logs")


@names(f"network: update IAM role {STACK}-flow-logs")
def flow_log_policy_changed(operator: Operator) -> None:
    operator.policy(f"{STACK}-flow-logs", "write-flow-logs")


# The security groups


@names(f"security_groups: update security group {STACK}-app")
def rule_added(operator: Operator) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    operator.ec2.authorize_security_group_ingress(
        GroupId=operator.group(f"{STACK}-app")["GroupId"], IpPermissions=[rule]
    )


@names(f"security_groups: update security group {STACK}-database")
def rule_removed(operator: Operator) -> None:
    group = operator.group(f"{STACK}-database")
    operator.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"][:1])


@names(f"security_groups: update security group {STACK}-function")
def egress_opened(operator: Operator) -> None:
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    operator.ec2.authorize_security_group_egress(
        GroupId=operator.group(f"{STACK}-function")["GroupId"], IpPermissions=[rule]
    )


@names(f"security_groups: update security group {STACK}-app")
def group_tag_removed(operator: Operator) -> None:
    operator.untag(operator.group(f"{STACK}-app")["GroupId"])


# The database


@names(f"database: update DB cluster {STACK}")
def cluster_protected(operator: Operator) -> None:
    operator.cluster(DeletionProtection=True)


@names(f"database: update DB cluster {STACK}")
def backups_shortened(operator: Operator) -> None:
    operator.cluster(BackupRetentionPeriod=1)


@names(f"database: update DB cluster {STACK}")
def cluster_tag_changed(operator: Operator) -> None:
    arn = operator.rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    operator.rds.add_tags_to_resource(ResourceName=arn, Tags=[HAND])


@names(f"database: update DB instance {STACK}-1")
def db_instance_class_changed(operator: Operator) -> None:
    operator.rds.modify_db_instance(
        DBInstanceIdentifier=f"{STACK}-1", DBInstanceClass="db.r6g.large", ApplyImmediately=True
    )


@names(f"database: update DB instance {STACK}-1")
def db_instance_tag_changed(operator: Operator) -> None:
    arn = operator.rds.describe_db_instances()["DBInstances"][0]["DBInstanceArn"]
    operator.rds.add_tags_to_resource(ResourceName=arn, Tags=[HAND])


@names(f"database: update DB subnet group {STACK}")
def subnet_group_tag_removed(operator: Operator) -> None:
    arn = operator.rds.describe_db_subnet_groups(DBSubnetGroupName=STACK)["DBSubnetGroups"][0]["DBSubnetGroupArn"]
    operator.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["ManagedBy"])


@names(f"database: update DB cluster parameter group {STACK}")
def parameter_group_tag_changed(operator: Operator) -> None:
    answer = operator.rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName=STACK)
    arn = answer["DBClusterParameterGroups"][0]["DBClusterParameterGroupArn"]
    operator.rds.add_tags_to_resource(ResourceName=arn, Tags=[HAND])


@names(f"database: update secret {STACK}/importer")
def secret_tag_changed(operator: Operator) -> None:
    operator.secretsmanager.tag_resource(SecretId=f"{STACK}/importer", Tags=[HAND])


@names(f"database: update secret {STACK}/importer")
def secret_names_another_server(operator: Operator) -> None:
    # Reads the endpoint from the secret before it is changed, for later queries.
    operator.stack.query("DO 0")
    content = operator.stack.secret("importer") | {"rds_writer_endpoint": "database.example.com"}
    operator.secretsmanager.put_secret_value(SecretId=f"{STACK}/importer", SecretString=json.dumps(content))


@names(
    f"database: create secret {STACK}/application",
    # A new secret has a new password: the database user gets it, and so does the host's option file.
    "schema: update database user application",
    CONFIG,
)
def secret_deleted(operator: Operator) -> None:
    operator.secretsmanager.delete_secret(SecretId=f"{STACK}/application", ForceDeleteWithoutRecovery=True)


# The app host, as AWS knows it


@names(f"app_host: create key pair {STACK}-app")
def key_pair_deleted(operator: Operator) -> None:
    operator.ec2.delete_key_pair(KeyName=f"{STACK}-app")


@names(f"app_host: update IAM role {STACK}-app")
def host_policy_removed(operator: Operator) -> None:
    operator.iam.delete_role_policy(RoleName=f"{STACK}-app", PolicyName="read-application-secret")


@names(f"app_host: update IAM role {STACK}-app")
def host_role_without_boundary(operator: Operator) -> None:
    operator.iam.delete_role_permissions_boundary(RoleName=f"{STACK}-app")


@names(f"app_host: update IAM role {STACK}-app")
def host_policy_changed(operator: Operator) -> None:
    operator.policy(f"{STACK}-app", "read-application-secret")


@names(f"app_host: update IAM role {STACK}-app")
def host_role_may_do_everything(operator: Operator) -> None:
    operator.iam.attach_role_policy(RoleName=f"{STACK}-app", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


@names(f"app_host: update instance profile {STACK}-app")
def profile_without_role(operator: Operator) -> None:
    operator.iam.remove_role_from_instance_profile(InstanceProfileName=f"{STACK}-app", RoleName=f"{STACK}-app")


# Where versions of a launch template cannot be deleted, it is replaced.
@names(f"app_host: replace launch template {STACK}-app")
def template_tag_changed(operator: Operator) -> None:
    operator.tag(operator.id("LaunchTemplate", f"{STACK}-app"))


@names(f"app_host: create launch template {STACK}-app")
def template_deleted(operator: Operator) -> None:
    operator.ec2.delete_launch_template(LaunchTemplateName=f"{STACK}-app")


@names(f"app_host: update instance {STACK}-app")
def instance_tag_changed(operator: Operator) -> None:
    operator.tag(operator.instance()["InstanceId"])


# The bucket


BUCKET = f"{STACK}-{ACCOUNT}"
_BUCKET = f"bucket: update bucket {BUCKET}"
LIFECYCLE = "lifecycle rule expire-old-versions-and-pending-uploads"


@names(_BUCKET)
def versioning_suspended(operator: Operator) -> None:
    operator.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


@names(_BUCKET)
def bucket_policy_added(operator: Operator) -> None:
    statement = {
        "Sid": "Stranger",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    operator.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


@names(_BUCKET)
def public_access_allowed(operator: Operator) -> None:
    operator.s3.delete_public_access_block(Bucket=BUCKET)


@names(_BUCKET)
def bucket_tag_changed(operator: Operator) -> None:
    tags = operator.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    kept = [tag for tag in tags if tag["Key"] != "ManagedBy"]
    operator.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [*kept, HAND]})


@names(_BUCKET)
def acls_allowed(operator: Operator) -> None:
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    operator.s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=controls)


@names(f"bucket: create {LIFECYCLE}")
def lifecycle_removed(operator: Operator) -> None:
    operator.s3.delete_bucket_lifecycle(Bucket=BUCKET)


@names(f"bucket: update {LIFECYCLE}")
def lifecycle_changed(operator: Operator) -> None:
    found = operator.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    found[0]["NoncurrentVersionExpiration"] = {"NoncurrentDays": 1}
    operator.s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": found})


# The topics

TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{STACK}"
OPERATORS = "operators@example.com"


@names(f"topic: update SNS topic {STACK}-alarms")
def everybody_may_publish_alarms(operator: Operator) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": f"{TOPIC}-alarms"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    operator.sns.set_topic_attributes(TopicArn=f"{TOPIC}-alarms", AttributeName="Policy", AttributeValue=policy)


@names(f"topic: update SNS topic {STACK}-events")
def topic_tag_changed(operator: Operator) -> None:
    operator.sns.tag_resource(ResourceArn=f"{TOPIC}-events", Tags=[HAND])


@names(
    f"topic: create SNS topic {STACK}-events",
    f"topic: create SNS subscription {STACK}-events/{OPERATORS}",
)
def topic_deleted(operator: Operator) -> None:
    operator.sns.delete_topic(TopicArn=f"{TOPIC}-events")


@names(f"topic: create SNS subscription {STACK}-alarms/{OPERATORS}")
def unsubscribed(operator: Operator) -> None:
    operator.sns.unsubscribe(SubscriptionArn=operator.subscription(f"{TOPIC}-alarms"))


@names(f"topic: update SNS subscription {STACK}-events/{OPERATORS}")
def filter_policy_changed(operator: Operator) -> None:
    operator.sns.set_subscription_attributes(
        SubscriptionArn=operator.subscription(f"{TOPIC}-events"),
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"status": ["succeeded"]}),
    )


@names(f"topic: delete SNS subscription {STACK}-events/arn:aws:sqs:eu-west-1:{ACCOUNT}:strangers")
def stranger_subscribed(operator: Operator) -> None:
    queue = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:strangers"
    operator.sns.subscribe(TopicArn=f"{TOPIC}-events", Protocol="sqs", Endpoint=queue)


# The importer

_FUNCTION = f"importer: update Lambda function {FUNCTION}"
_INVOCATION = f"importer: update Lambda invocation settings {FUNCTION}"


@names(_FUNCTION)
def memory_changed(operator: Operator) -> None:
    operator.function(MemorySize=128)


@names(_FUNCTION)
def timeout_changed(operator: Operator) -> None:
    operator.function(Timeout=3)


@names(_FUNCTION)
def environment_changed(operator: Operator) -> None:
    found = operator.client("lambda").get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    operator.function(Environment={"Variables": found | {"LOG_LEVEL": "DEBUG"}})


@names(_FUNCTION)
def code_replaced(operator: Operator) -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("csv_importer/handler.py", "def handle(event, context):\n    return {}\n")
    client = operator.client("lambda")
    client.update_function_code(FunctionName=FUNCTION, ZipFile=other.getvalue())
    client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)


@names(_FUNCTION)
def function_tag_changed(operator: Operator) -> None:
    client = operator.client("lambda")
    arn = client.get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"ManagedBy": "hand"})


@names(_INVOCATION)
def retries_disabled(operator: Operator) -> None:
    client = operator.client("lambda")
    found = client.get_function_event_invoke_config(FunctionName=FUNCTION)
    # With the other settings as they are: the emulator has only Put, no Update.
    rest = {key: found[key] for key in ("MaximumEventAgeInSeconds", "DestinationConfig") if key in found}
    client.put_function_event_invoke_config(FunctionName=FUNCTION, MaximumRetryAttempts=0, **rest)


@names(_INVOCATION)
def invocation_settings_deleted(operator: Operator) -> None:
    operator.client("lambda").delete_function_event_invoke_config(FunctionName=FUNCTION)


@names(_INVOCATION)
def concurrency_reserved(operator: Operator) -> None:
    operator.client("lambda").put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=1)


@names(f"importer: create Lambda permission {FUNCTION}/bucket")
def permission_removed(operator: Operator) -> None:
    operator.client("lambda").remove_permission(FunctionName=FUNCTION, StatementId="bucket")


@names(f"importer: create Lambda permission {FUNCTION}/check")
def permission_to_check_removed(operator: Operator) -> None:
    operator.client("lambda").remove_permission(FunctionName=FUNCTION, StatementId="check")


@names(f"importer: delete Lambda permission {FUNCTION}/stranger")
def permission_added(operator: Operator) -> None:
    operator.client("lambda").add_permission(
        FunctionName=FUNCTION, StatementId="stranger", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )


@names(f"importer: update log group /aws/lambda/{FUNCTION}")
def log_retention_changed(operator: Operator) -> None:
    operator.logs.put_retention_policy(logGroupName=f"/aws/lambda/{FUNCTION}", retentionInDays=1)


@names(
    f"importer: create log group /aws/lambda/{FUNCTION}",
    f"notification: update EventBridge rule {FUNCTION}-check",
)
def log_group_deleted(operator: Operator) -> None:
    # A check would create it again, without tags.
    operator.events.disable_rule(Name=f"{FUNCTION}-check")
    operator.logs.delete_log_group(logGroupName=f"/aws/lambda/{FUNCTION}")


@names(f"importer: update SQS queue {FUNCTION}-dead-letters")
def dead_letters_kept_for_an_hour(operator: Operator) -> None:
    operator.sqs.set_queue_attributes(QueueUrl=operator.queue(), Attributes={"MessageRetentionPeriod": "3600"})


@names(f"importer: update SQS queue {FUNCTION}-dead-letters")
def queue_tag_removed(operator: Operator) -> None:
    operator.sqs.untag_queue(QueueUrl=operator.queue(), TagKeys=["ManagedBy"])


@names(f"importer: create SQS queue {FUNCTION}-dead-letters")
def queue_deleted(operator: Operator) -> None:
    operator.sqs.delete_queue(QueueUrl=operator.queue())


@names(f"importer: update IAM role {FUNCTION}")
def function_role_without_boundary(operator: Operator) -> None:
    operator.iam.delete_role_permissions_boundary(RoleName=FUNCTION)


@names(f"importer: update IAM role {FUNCTION}")
def function_policy_changed(operator: Operator) -> None:
    operator.policy(FUNCTION, "importer")


@names(f"importer: update IAM role {FUNCTION}")
def function_policy_added(operator: Operator) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    operator.iam.put_role_policy(RoleName=FUNCTION, PolicyName="more", PolicyDocument=document)


@names(f"importer: create CloudWatch alarm {FUNCTION}-errors")
def alarm_deleted(operator: Operator) -> None:
    operator.cloudwatch.delete_alarms(AlarmNames=[f"{FUNCTION}-errors"])


@names(f"importer: update CloudWatch alarm {FUNCTION}-dead-letters")
def alarm_changed(operator: Operator) -> None:
    operator.cloudwatch.put_metric_alarm(
        AlarmName=f"{FUNCTION}-dead-letters",
        AlarmDescription=f"Events wait in {FUNCTION}-dead-letters that could not be imported",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": f"{FUNCTION}-dead-letters"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1000,
        TreatMissingData="notBreaching",
    )


@names(f"importer: update CloudWatch alarm {FUNCTION}-errors")
def alarm_notifies_nobody(operator: Operator) -> None:
    (found,) = operator.cloudwatch.describe_alarms(AlarmNames=[f"{FUNCTION}-errors"])["MetricAlarms"]
    read_only = ("AlarmArn", "State", "AlarmConfiguration", "OKActions", "AlarmActions")
    kept = {name: value for name, value in found.items() if not name.startswith(read_only)}
    operator.cloudwatch.put_metric_alarm(**kept)


@names(f"importer: delete CloudWatch alarm {FUNCTION}-mine")
def alarm_added(operator: Operator) -> None:
    operator.cloudwatch.put_metric_alarm(
        AlarmName=f"{FUNCTION}-mine",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
    )


# The monitoring


@names(f"monitoring: create CloudWatch alarm {STACK}-database-memory")
def database_alarm_deleted(operator: Operator) -> None:
    operator.cloudwatch.delete_alarms(AlarmNames=[f"{STACK}-database-memory"])


@names(f"monitoring: update CloudWatch alarm {STACK}-database-cpu")
def database_alarm_changed(operator: Operator) -> None:
    operator.cloudwatch.put_metric_alarm(
        AlarmName=f"{STACK}-database-cpu",
        AlarmDescription="It is busy",
        Namespace="AWS/RDS",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "DBClusterIdentifier", "Value": STACK}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=50,
        TreatMissingData="missing",
    )


@names(f"monitoring: update CloudWatch dashboard {STACK}")
def dashboard_changed(operator: Operator) -> None:
    body = json.loads(operator.cloudwatch.get_dashboard(DashboardName=STACK)["DashboardBody"])
    body["widgets"].pop()
    operator.cloudwatch.put_dashboard(DashboardName=STACK, DashboardBody=json.dumps(body, indent=2))


@names(f"monitoring: create CloudWatch dashboard {STACK}")
def dashboard_deleted(operator: Operator) -> None:
    operator.cloudwatch.delete_dashboards(DashboardNames=[STACK])


# The notification


@names(*(f"notification: create bucket notification {STACK}-{number}" for number in range(1, 5)))
def notifications_removed(operator: Operator) -> None:
    operator.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})


@names(f"notification: update bucket notification {STACK}-2")
def notification_changed(operator: Operator) -> None:
    found = operator.s3.get_bucket_notification_configuration(Bucket=BUCKET)["LambdaFunctionConfigurations"]
    for one in found:
        if one["Id"] == f"{STACK}-2":
            one["Filter"]["Key"]["FilterRules"] = [{"Name": "suffix", "Value": ".txt"}]
    wanted = {"LambdaFunctionConfigurations": found}
    operator.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=wanted)


_RULE = f"notification: update EventBridge rule {FUNCTION}-check"


@names(_RULE)
def check_disabled(operator: Operator) -> None:
    operator.events.disable_rule(Name=f"{FUNCTION}-check")


@names(_RULE)
def check_once_a_day(operator: Operator) -> None:
    operator.events.put_rule(Name=f"{FUNCTION}-check", ScheduleExpression="rate(1 day)")


@names(_RULE)
def check_invokes_nothing(operator: Operator) -> None:
    operator.events.remove_targets(Rule=f"{FUNCTION}-check", Ids=["function"])


@names(f"notification: create EventBridge rule {FUNCTION}-check")
def check_deleted(operator: Operator) -> None:
    operator.events.remove_targets(Rule=f"{FUNCTION}-check", Ids=["function"])
    operator.events.delete_rule(Name=f"{FUNCTION}-check")


# The host itself


@names(PACKAGES)
def client_removed(operator: Operator) -> None:
    operator.shell("dpkg --remove --force-depends default-mysql-client")


@names("mysql_client: update file /etc/mysql/database-ca.pem")
def ca_certificates_changed(operator: Operator) -> None:
    operator.shell("echo >> /etc/mysql/database-ca.pem")


@names(CONFIG)
def option_file_changed(operator: Operator) -> None:
    operator.shell("echo '[mysqldump]' >> /home/admin/.my.cnf")


@names(CONFIG)
def option_file_readable(operator: Operator) -> None:
    operator.shell("chmod 0644 /home/admin/.my.cnf")


@names("hardening: update file /etc/ssh/sshd_config.d/00-hardening.conf")
def root_login_permitted(operator: Operator) -> None:
    operator.shell("sed -i 's/^PermitRootLogin .*/PermitRootLogin yes/' /etc/ssh/sshd_config.d/*.conf")


@names(
    "status_page: update application /opt/status-page",
    "status_page: update service status-page@private.service",
    "status_page: update service status-page@public.service",
)
def page_changed(operator: Operator) -> None:
    operator.shell("echo >> /opt/status-page/status_page/wsgi.py")


@names("status_page: update service status-page@public.service")
def page_stopped(operator: Operator) -> None:
    operator.shell("systemctl stop status-page@public.service")


# In the database


@names("schema: create table challenge.csv_import_reject")
def table_dropped(operator: Operator) -> None:
    operator.stack.query("DROP TABLE csv_import_reject")


@names("schema: update table challenge.customer")
def default_changed(operator: Operator) -> None:
    operator.stack.query("ALTER TABLE customer ALTER COLUMN status SET DEFAULT 5")


@names("schema: update database user importer")
def grant_revoked(operator: Operator) -> None:
    operator.stack.query("REVOKE INSERT ON challenge.customer FROM importer@'%'")


@names("schema: update database user application")
def grant_added(operator: Operator) -> None:
    operator.stack.query("GRANT DELETE ON challenge.customer TO application@'%'")


@names("schema: create database user application")
def user_dropped(operator: Operator) -> None:
    operator.stack.query("DROP USER application@'%'")


@names("schema: update database user importer")
def password_changed(operator: Operator) -> None:
    operator.stack.query("ALTER USER importer@'%' IDENTIFIED BY 'another'")


@names("schema: update database user importer")
def plain_text_allowed(operator: Operator) -> None:
    operator.stack.query("ALTER USER importer@'%' REQUIRE NONE")
