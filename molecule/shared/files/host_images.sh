#!/bin/sh
# Prints the container engine that has the local cloud's two images, and the prefix of their names.
#   host_images.sh PROJECT
# Where there are none, a local cloud is started and stopped, which builds and keeps them.
set -eu

project=$1
# Not a developer's own local cloud; the importer's tests build their images with the same port.
port=4866

# Images that another version of the role local_cloud has built are others.
version_of() (
    LC_ALL=C
    cat "$project/roles/local_cloud/files/$1/"* | sha256sum | cut -c 1-12
)
wanted="$(version_of database)
$(version_of app-host)"

find_images() {
    for engine in podman docker; do
        command -v "$engine" > /dev/null || continue
        for prefix in localhost/local-cloud "localhost/local-cloud-$port"; do
            found=$("$engine" image inspect --format '{{ index .Config.Labels "local_cloud_files" }}' \
                "$prefix/mysql:8.0" "$prefix/app-host:13" 2> /dev/null) || continue
            if [ "$found" = "$wanted" ]; then
                echo "$engine $prefix"
                return 0
            fi
        done
    done
    return 1
}

find_images && exit

# Scenarios that run at the same time must not start the same cloud twice: the second one waits, and checks again.
exec 9< "$0"
flock 9
find_images && exit

LOCAL_CLOUD_DIR=$(mktemp -d)
LOCAL_CLOUD_PORT=$port
export LOCAL_CLOUD_DIR LOCAL_CLOUD_PORT
trap 'rm -rf "$LOCAL_CLOUD_DIR"' EXIT
cd "$project"
for playbook in local_cloud local_cloud_down; do
    # What it starts must not inherit the lock.
    ansible-playbook "playbooks/$playbook.yml" -i inventories/local/hosts.yml >&2 9<&-
done
find_images || {
    echo "Neither podman nor docker has the local cloud's images. See the output of 'make local'." >&2
    exit 1
}
