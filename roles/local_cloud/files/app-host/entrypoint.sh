#!/bin/sh
# The part of cloud-init that a host needs here: its own host keys, then sshd.
set -eu

ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e
