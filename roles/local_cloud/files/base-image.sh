#!/bin/sh
# Makes a container image from Debian packages, for machines that reach a Debian mirror but no image registry.
#   base-image.sh IMAGE SUITE MIRROR VARIANT PACKAGES REMOVE APT_CONF IMPORT_COMMAND…
# MIRROR may be empty: Debian's own. PACKAGES are separated by commas, REMOVE (patterns below the root) by spaces.
# IMPORT_COMMAND reads a tar archive from standard input and takes IMAGE as its last argument.
set -eu

image=$1 suite=$2 mirror=$3 variant=$4 packages=$5 remove=$6 apt_conf=$7
shift 7

if ! command -v mmdebstrap >/dev/null; then
    echo "No image registry answers and mmdebstrap is missing. Run: sudo apt-get install mmdebstrap" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

# A session of its own: mmdebstrap signals its whole process group when it fails.
setsid --wait mmdebstrap --quiet --format=directory --variant="$variant" --include="$packages" \
    --dpkgopt=force-unsafe-io --aptopt="$apt_conf" "$suite" "$work/root" ${mirror:+"$mirror"} </dev/null
# mmdebstrap leaves APT_CONF in the image, where the password of a proxy is not to be.
rm -f "$work/root/etc/apt/apt.conf.d/99mmdebstrap"
for pattern in $remove; do
    # shellcheck disable=SC2086 # the pattern has to expand
    rm -rf "$work/root"/$pattern
done
tar -C "$work/root" --one-file-system -c . | "$@" "$image"
