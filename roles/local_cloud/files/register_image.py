"""Register a container image as an AMI, once.

amazon.aws.ec2_ami cannot: after the registration it requests the image's product codes, which ministack lacks.
Region, endpoint and the file with the profile `root` come from the environment.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from typing import Any

import boto3


def publish(ec2: Any, image: str) -> None:
    """Make an image public, as those are that stacks on AWS use: the deployer may start no others."""
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})


def main(arguments: Sequence[str]) -> None:
    """Write a JSON object with `image_id` and `changed`.

    Args:
        arguments: The AMI's name and the container image's reference.

    Raises:
        SystemExit: When there are not exactly two arguments.
        botocore.exceptions.ClientError: When the API refuses.
    """
    if len(arguments) != 2:
        raise SystemExit("usage: register_image.py NAME IMAGE")
    name, image = arguments
    # By its name, so that access keys and a profile for AWS in the shell do not matter.
    ec2 = boto3.Session(profile_name="root").client("ec2")
    found = ec2.describe_images(Filters=[{"Name": "name", "Values": [name]}])["Images"]
    if found:
        publish(ec2, found[0]["ImageId"])
        sys.stdout.write(json.dumps({"image_id": found[0]["ImageId"], "changed": False}))
        return
    made = ec2.register_image(
        Name=name,
        ImageLocation=image,
        Description=f"The container image {image}",
        Architecture="arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
    )
    publish(ec2, made["ImageId"])
    sys.stdout.write(json.dumps({"image_id": made["ImageId"], "changed": True}))


if __name__ == "__main__":
    main(sys.argv[1:])
