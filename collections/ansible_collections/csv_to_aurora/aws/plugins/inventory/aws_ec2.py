# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Inventory plugin: amazon.aws.aws_ec2, whose options may use the variables of the inventory that its file is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.cli import CLI
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.vars.manager import VariableManager
from ansible_collections.amazon.aws.plugins.inventory.aws_ec2 import InventoryModule as AwsEc2
from ansible_collections.amazon.aws.plugins.plugin_utils.inventory import AWSInventoryBase

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.aws_profile import mfa_profile

DOCUMENTATION = r"""
name: aws_ec2
short_description: EC2 inventory source that connects as the playbooks do
version_added: 1.0.0
description:
  - P(amazon.aws.aws_ec2#inventory), with one difference. The templates in its file see the variables of the inventory
    that the file is in, extra variables included, as the host V(controller) of C(hosts.yml) beside it has them. So that
    account, region and tags are set once, for modules, lookups and the inventory.
  - Where AWS cannot be asked, or refuses, that is a warning and the variable C(aws_ec2_error) of the group C(all),
    which playbooks can check. Otherwise it would look as if there were no host.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
extends_documentation_fragment:
  - inventory_cache
  - constructed
  - amazon.aws.boto3
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
  - amazon.aws.assume_role.plugins
  - csv_to_aurora.aws.aws_ec2
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [csv_to_aurora.aws.aws_ec2]
"""

EXAMPLES = r"""
plugin: csv_to_aurora.aws.aws_ec2
profile: "{{ aws_connection.profile }}"
regions: ["{{ aws_region }}"]
filters:
  tag:Environment: "{{ environment_name }}"
"""

LINKS = ("group_vars/all/00_common", "group_vars/app_hosts/00_common.yml")
"""What an inventory shares with the others."""
CONTROLLER = "controller"
HOSTS = "hosts.yml"


def refuse_files_for_links(inventory: Path) -> None:
    """End the run where git wrote the links of an inventory as files, as it does where it may not create links.

    Ansible would end it a moment later, with an error about the type of a variable file.

    Args:
        inventory: The inventory's folder.

    Raises:
        SystemExit: There is such a file. The inventory manager catches any other exception.
    """
    for link in (inventory / name for name in LINKS):
        if link.is_file() and not link.is_symlink() and link.read_text().startswith("../"):
            raise SystemExit(
                f"ERROR: {link} has to be a symbolic link, and is a file with the path that it should point to: this "
                "checkout was made without links. Make them: git config core.symlinks true && git checkout -- "
                "inventories playbooks (on Windows in WSL, below your home there)."
            )


class TemplatedOptions(AWSInventoryBase.TemplatedOptions):
    """The options that may be templates: also one that is a list of filters."""

    TEMPLATABLE_OPTIONS = (*AWSInventoryBase.TemplatedOptions.TEMPLATABLE_OPTIONS, "include_filters")


class InventoryModule(AwsEc2):
    """Finds hosts with the variables of the inventory."""

    NAME = "csv_to_aurora.aws.aws_ec2"
    TemplatedOptions = TemplatedOptions

    def verify_file(self, path: str) -> bool:
        """Return whether the file is one for this plugin, which is asked of every file of an inventory."""
        refuse_files_for_links(Path(path).parent)
        return bool(super().verify_file(path))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:  # noqa: FBT001, FBT002 - Ansible's
        """Add the hosts to the inventory, or the reason why they are not known."""
        try:
            super().parse(inventory, loader, path, cache=cache)
        except AnsibleError as error:
            inventory.set_variable("all", "aws_ec2_error", str(error))
            self.display.warning(f"{path} found no host: {error}")

    def _read_config_data(self, path: str) -> Any:
        """Read the file, and let its templates see the variables of the inventory.

        Raises:
            AnsibleParserError: The controller is not where its variables are looked for.
        """
        hosts = Path(path).with_name(HOSTS)
        manager = InventoryManager(loader=self.loader, sources=[str(hosts)])
        controller = manager.get_host(CONTROLLER)
        if not controller:
            raise AnsibleParserError(f"{hosts} has no host {CONTROLLER}, whose variables are used here.")
        # ansible-core keeps the version that the first manager of a process is given, as ansible_version.
        version = CLI.version_info(gitinfo=False)
        variables = VariableManager(loader=self.loader, inventory=manager, version_info=version)
        # Or the group_vars of the folder that a run was started in would come before those of the inventory.
        started_in = self.loader.get_basedir()
        self.loader.set_basedir(str(hosts.parent))
        try:
            self.templar.available_variables = variables.get_vars(host=controller)
        finally:
            self.loader.set_basedir(started_in)
        return super()._read_config_data(path)

    def client(self, service: str, **parameters: Any) -> Any:
        """Return a client that gives up within seconds: every run begins with the inventory.

        Raises:
            AnsibleError: The client would ask for an MFA code, here and again in each task.
        """
        from botocore.config import Config  # noqa: PLC0415 - where it is missing, the parent says so

        profile = mfa_profile(self.get_option("profile") or "")
        if profile and not self.get_option("access_key"):
            raise AnsibleError(f"The profile {profile} asks for an MFA code.")
        limits = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
        return super().client(service, config=limits, **parameters)
