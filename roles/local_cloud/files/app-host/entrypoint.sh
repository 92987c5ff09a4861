#!/bin/sh
# The part of cloud-init that a host needs here: its own host keys, which it prints on the console, then systemd.
set -eu

# With control groups of its own, which systemd creates more in. Where the engine's are of version 1, those are left to
# it, and the container gets the hierarchy of version 2 that the kernel has in addition: without limits of memory.
if [ "${1-}" != grouped ] && unshare --cgroup true 2>/dev/null; then
    exec unshare --cgroup "$0" grouped
fi

[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
echo '-----BEGIN SSH HOST KEY KEYS-----'
cat /etc/ssh/ssh_host_ed25519_key.pub
echo '-----END SSH HOST KEY KEYS-----'

groups=/sys/fs/cgroup
mount_groups() {
    if [ "$(stat --file-system --format=%T "$groups")" = cgroup2fs ]; then
        mount -o remount,rw "$groups"
    else
        umount --recursive "$groups" && mount -t cgroup2 cgroup2 "$groups"
    fi && mkdir "$groups/try" && rmdir "$groups/try"
}
if reason=$(mount_groups 2>&1); then
    # Says that this is a container, where some units have nothing to do.
    export container=docker
    # It logs to its journal, not to the console, which is to keep the lines above.
    exec /usr/lib/systemd/systemd
fi
echo "This container may not run systemd, only sshd: $reason"
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -E /var/log/sshd.log
