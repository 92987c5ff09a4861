"""Register a container image as an AMI, once.

amazon.aws.ec2_ami cannot: after the registration it requests the image's product codes, which ministack lacks.
Credentials, region and endpoint come from the environment.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence

import boto3


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
    # An exported profile for AWS does not exist here.
    os.environ.pop("AWS_PROFILE", None)
    ec2 = boto3.client("ec2")
    found = ec2.describe_images(Filters=[{"Name": "name", "Values": [name]}])["Images"]
    if found:
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
    sys.stdout.write(json.dumps({"image_id": made["ImageId"], "changed": True}))


if __name__ == "__main__":
    main(sys.argv[1:])
