# The guest's PID 1 in its final root: cgroups as systemd would lay them out, then the command.
cd /
X=/run/guest C=/sys/fs/cgroup

off() {
    echo o >/proc/sysrq-trigger
    while :; do sleep 1; done
}

fail() {
    echo "$*" | tee $X/failure
    off
}

# enable DIRECTORY...: let the groups below have limits.
enable() {
    for dir; do echo "+memory +pids" >"$dir/cgroup.subtree_control" || fail "controllers of $dir"; done
}

# delegate DIRECTORY...: give them to the user, as `Delegate=yes` does.
delegate() {
    for dir; do
        chown "$U:$G" "$dir"
        for file in $(cat /sys/kernel/cgroup/delegate); do
            [ -e "$dir/$file" ] && chown "$U:$G" "$dir/$file"
        done
    done
}

umount -l /mnt
(sleep "$LIMIT"; off) & # should nobody outside end it
ip link set lo up
hostname guest
chmod 1777 /tmp
[ -z "$SWAP" ] || { mkswap /dev/ubda >/dev/null && swapon /dev/ubda; } || fail "no swap"
echo "$OPEN" | while IFS= read -r dir; do [ -z "$dir" ] || chmod a+rx "$dir"; done
# As Debian's own kernels have it; in the worlds of ordinary users everybody may read the log.
[ -n "$GUEST_USER" ] || echo 1 >/proc/sys/kernel/dmesg_restrict

if [ -n "$GUEST_USER" ] && ! id -u "$GUEST_USER" >/dev/null 2>&1; then
    echo "$GUEST_USER:x:1717:1717::/home/$GUEST_USER:/bin/sh" >>/etc/passwd
    echo "$GUEST_USER:x:1717:" >>/etc/group
    echo "$GUEST_USER:*:19000:0:99999:7:::" >>/etc/shadow
    mkdir -p "/home/$GUEST_USER" && chown 1717:1717 "/home/$GUEST_USER"
fi
if [ -n "$SYSTEMD" ]; then
    . "$HERE/systemd.sh"
    fail "systemd did not start"
fi

[ -z "$GUEST_USER" ] || { U=$(id -u "$GUEST_USER") G=$(id -g "$GUEST_USER"); }
if [ "$CGROUP" = 1 ]; then
    mount -n -t tmpfs -o mode=755 tmpfs $C && mkdir $C/memory $C/pids $C/unified
    mount -n -t cgroup -o memory cgroup $C/memory && mount -n -t cgroup -o pids cgroup $C/pids &&
        mount -n -t cgroup2 cgroup2 $C/unified || fail "this kernel has no cgroup v1 memory"
    OURS=$C/memory/tests
    mkdir $OURS
else
    mount -n -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 $C || fail "no cgroup v2"
    OURS=$C/system.slice/tests.service
    if [ -n "$GUEST_USER" ]; then
        MANAGER=$C/user.slice/user-$U.slice/user@$U.service
        OURS=$MANAGER/app.slice/tests.scope
        mkdir -p "$OURS" && enable $C $C/user.slice "$C/user.slice/user-$U.slice"
        delegate "$MANAGER" "$MANAGER/app.slice" "$OURS"
        enable "$MANAGER" "$MANAGER/app.slice"
        mkdir -p "/run/user/$U" && chown "$U:$G" "/run/user/$U" && chmod 700 "/run/user/$U"
    else
        mkdir -p $OURS && enable $C $C/system.slice
    fi
fi
(
    echo 0 >"$OURS/cgroup.procs" || exit 125
    [ -n "$GUEST_USER" ] || exec /bin/sh "$HERE/command.sh"
    exec /usr/bin/setpriv --reuid "$U" --regid "$G" --init-groups /bin/sh "$HERE/command.sh"
) </dev/null >>$X/out 2>>$X/err
echo $? >$X/status
off
