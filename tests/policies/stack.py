"""Values of the variables in policy documents and recorded calls."""

STACK = {
    "aws_region": "eu-west-1",
    "aws_account_id": "123456789012",
    "project": "csv-to-aurora",
    "environment_name": "stage",
    "stack_name": "csv-to-aurora-stage",
    "bucket_name": "csv-to-aurora-stage-123456789012",
    "stack_permissions_boundary": "arn:aws:iam::123456789012:policy/csv-to-aurora-stage-boundary",
    "stack_alarms_topic_arn": "arn:aws:sns:eu-west-1:123456789012:csv-to-aurora-stage-alarms",
    "stack_events_topic_arn": "arn:aws:sns:eu-west-1:123456789012:csv-to-aurora-stage-events",
    "stack_boundary_arn": "arn:aws:iam::123456789012:policy/csv-to-aurora-stage-boundary",
    "database_outputs.cluster_resource_id": "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "database_outputs.importer_username": "importer",
    "database_outputs.application_username": "application",
}
