"""One entry in module_defaults connects the modules of three collections, and its secrets are not shown."""

from __future__ import annotations

from pathlib import Path

from emulated_cloud import REGION, Cloud
from playbook_runner import run_playbook

PLAYBOOK = """
- name: Call a module of each collection with no connection arguments of its own
  hosts: localhost
  gather_facts: false
  vars:
    aws_connection:
      region: {region}
      endpoint_url: {endpoint}
      access_key: AKIATEST
      # Put together while the play runs, as a value from a vault or a lookup would be.
      secret_key: "{{{{ ['secret', 'of', 'module', 'defaults'] | join('-') }}}}"
  module_defaults:
    group/csv_to_aurora.aws.aws: "{{{{ aws_connection }}}}"
  tasks:
    - name: Call amazon.aws
      amazon.aws.ec2_vpc_net:
        name: defaults
        cidr_block: 10.9.0.0/16
    - name: Call community.aws
      community.aws.sqs_queue:
        name: defaults
    - name: Call this collection
      csv_to_aurora.aws.sqs_message_info:
        name: defaults
      register: messages
    - name: See that it was the same cloud
      ansible.builtin.assert:
        that: messages.queue_url is not none
"""


def test_one_entry_serves_three_collections_and_shows_no_secret(moto: Cloud, tmp_path: Path) -> None:
    playbook = tmp_path / "defaults.yml"
    playbook.write_text(PLAYBOOK.format(region=REGION, endpoint=moto.endpoint))
    # No environment variable replaces a default that did not arrive.
    run = run_playbook(playbook, "-vvvv", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_REGION="", AWS_URL="")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "secret-of-module-defaults" not in run.stdout + run.stderr
    vpcs = moto.client("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["defaults"]}])["Vpcs"]
    assert len(vpcs) == 1
