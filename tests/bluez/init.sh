#!/bin/sh
# The first process of the guest. The root is the host's own, read-only; what has to be written lies in memory, and the
# results in the one folder of the host that is mounted for them (`guest.py` names everything on the kernel's line).
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t configfs config /sys/kernel/config
for folder in /run /var/lib/bluetooth /var/log; do mount -t tmpfs tmpfs "$folder"; done
mount -t hostfs none /mnt -o hostfs="$ARGUS_RESULTS"
mkdir -p /run/dbus /run/home /run/scratch
export HOME=/run/home TMPDIR=/run/scratch PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONDONTWRITEBYTECODE=1
ip link set lo up 2>/dev/null || /sbin/ifconfig lo up 2>/dev/null
dbus-daemon --system --nopidfile --fork
cd "$ARGUS_PROJECT" || exit 1
"$ARGUS_PYTHON" -m tests.bluez.inside $ARGUS_STORIES >/mnt/observed.txt 2>/mnt/errors.txt
echo $? >/mnt/code
sync
echo o >/proc/sysrq-trigger
sleep 5
