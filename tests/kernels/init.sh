# The guest's PID 1, read by busybox's shell: first with this machine's root directory as /, then,
# after an overlay in memory has taken its place, by world.sh.
# From conf: X (the control directory), HERE, QEMU, CGROUP, GUEST_USER, SYSTEMD, LIMIT, SWAP, WRITE,
# OPEN, DIRECTORY.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

fail() {
    echo "guest: $*"
    for to in /mnt/control /run/guest; do
        [ -e $to/conf ] && echo "$*" >$to/failure
    done
    echo o >/proc/sysrq-trigger
    while :; do sleep 1; done
}

# from_here DIRECTORY PLACE: a directory of this machine, which may be written to.
from_here() {
    if [ -n "$QEMU" ]; then mount -n -o bind "$1" "$2"; else mount -n -t hostfs -o "$1" none "$2"; fi
}

# Busybox finds itself by /proc/self/exe: until /proc is the guest's own, by its full name.
/bin/busybox mount -n -t proc -o nosuid,nodev,noexec proc /proc || exit 1
mount -n -t tmpfs -o mode=755 tmpfs /mnt || fail "no tmpfs"
mkdir /mnt/control /mnt/upper /mnt/work /mnt/root
from_here "$X" /mnt/control || fail "no control directory"
grep -q overlay /proc/filesystems || insmod /mnt/control/overlay.ko || fail "overlay.ko"
mount -n -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root ||
    fail "no overlay"

cd /mnt/root || fail "no root"
mkdir -p proc sys dev run tmp mnt
mount -n -t proc -o nosuid,nodev,noexec proc proc &&
    mount -n -t sysfs -o nosuid,nodev,noexec sysfs sys &&
    mount -n -t devtmpfs -o nosuid,mode=755 devtmpfs dev && mkdir -p dev/pts dev/shm &&
    mount -n -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts &&
    mount -n -t tmpfs -o mode=1777 tmpfs dev/shm &&
    mount -n -t tmpfs -o mode=755 tmpfs run || fail "no /proc, /sys, /dev or /run"
[ -e dev/fd ] || { ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr; }
mkdir run/guest && mount -n -o move /mnt/control run/guest || fail "the control directory stays"
echo "$WRITE" | while IFS= read -r dir; do
    [ -z "$dir" ] || { mkdir -p ".$dir" && from_here "$dir" ".$dir"; } || exit 1
done || fail "a directory to write to"
pivot_root . mnt || fail "pivot_root"
exec chroot . /bin/busybox sh -c '. /run/guest/conf; . "$HERE/world.sh"' </dev/null
