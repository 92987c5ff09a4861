#!/bin/sh
# The part of cloud-init that a host needs here: its own host keys, which it prints on the console, then sshd.
set -eu

[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
echo '-----BEGIN SSH HOST KEY KEYS-----'
cat /etc/ssh/ssh_host_ed25519_key.pub
echo '-----END SSH HOST KEY KEYS-----'
mkdir -p /run/sshd
# Not to the console, which is to keep the lines above.
exec /usr/sbin/sshd -D -E /var/log/sshd.log
