# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation fragment: the options of the inventory plugin amazon.aws.aws_ec2, whatever its version has."""

from __future__ import annotations

import yaml
from ansible_collections.amazon.aws.plugins.inventory import aws_ec2


class ModuleDocFragment:
    """The options, which the plugin itself documents and no fragment of its collection does."""

    DOCUMENTATION = yaml.safe_dump({"options": yaml.safe_load(aws_ec2.DOCUMENTATION)["options"]})
