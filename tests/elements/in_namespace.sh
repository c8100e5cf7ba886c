#!/bin/bash
# Runs one hook of an element against a fake root. Called by fakeroot.py inside fresh mount, PID, network and UTS
# namespaces, so that every mount vanishes with this process and no hook reaches the network.
#
#   in_namespace.sh inside|outside BASE HOOKS_FOLDER
#
# BASE is laid out as DIB's TMP_BUILD_DIR: mnt is the root, hooks the merged hooks of all elements.
# /usr of the root is an overlay: the host's programs below, and on top what the test and the hook write, which is all
# that stays in BASE/mnt/usr afterwards.

set -eu
set -o pipefail

where=$1
base=$2
phase=$3
root=$base/mnt

mount -t overlay fake-usr -o "lowerdir=/usr,upperdir=$root/usr,workdir=$base/work" "$root/usr"

if [ "$where" = outside ]; then
    # The hook sees the build host, but may only write below BASE.
    mount --rbind "$base" "$base"
    mount -o remount,bind,ro /
    before=$(awk '{ print $5 }' /proc/self/mountinfo)
    status=0
    "$_LIB/dib-run-parts" "$base/hooks/$phase" || status=$?
else
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount --bind -o ro "$base/hooks" "$root/tmp/in_target.d"
    before=$(awk '{ print $5 }' /proc/self/mountinfo)
    status=0
    chroot "$root" env -u TMPDIR HOME=/root \
        PATH=/tmp/stand-ins:/tmp/in_target.d/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        /tmp/in_target.d/dib-run-parts "/tmp/in_target.d/$phase" || status=$?
fi

comm -13 <(sort <<<"$before") <(awk '{ print $5 }' /proc/self/mountinfo | sort) > "$base/left-mounted"
exit "$status"
