#!/bin/sh
# Finds settings with which Podman can run a container on this machine, by running one.
#   podman-settings.sh DIRECTORY
# In a virtual machine whose root may not raise limits, or with hybrid control groups, Podman's defaults fail.
# On the bridge network, as the real containers: its setup can fail independently of the runtime.
# Writes the settings that worked to DIRECTORY/containers.conf; without such a file, the defaults of the machine work.
set -eu

directory=$1
conf=$directory/containers.conf
root=$directory/root
rm -f "$conf"
for folder in bin dev etc lib lib64 proc run sys tmp usr; do
    mkdir -p "$root/$folder"
done

# A container that could not be started is not removed by --rm.
trap 'podman rm --force --ignore "local-cloud-trial-$$" >/dev/null 2>&1' EXIT
works() {
    podman run --rm --replace --name="local-cloud-trial-$$" --network=bridge --rootfs --volume=/usr:/usr:ro --volume=/lib:/lib:ro --volume=/lib64:/lib64:ro \
        "$root" /usr/bin/true
}

if works 2>/dev/null; then
    exit
fi
# No limit above those of this process.
limits="[containers]
default_ulimits = [\"nofile=$(ulimit -Hn):$(ulimit -Hn)\", \"nproc=4096:4096\"]"
export CONTAINERS_CONF="$conf"
printf '%s\n' "$limits" > "$conf"
if works 2>/dev/null; then
    exit
fi
printf '%s\n\n[engine]\nruntime = "runc"\n' "$limits" > "$conf"
if ! works; then
    rm -f "$conf"
    exit 1
fi
