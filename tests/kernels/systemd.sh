# systemd as PID 1, with nothing but the journal, D-Bus, logind and the command: in a login session
# where there is a user.
E=/etc/systemd/system L=/lib/systemd/system
rm -rf $E /etc/systemd/user/*.wants
mkdir -p $E /etc/systemd/system-generators /etc/systemd/user-generators
for generator in /lib/systemd/system-generators/*; do
    [ -e "$generator" ] && ln -sf /dev/null "/etc/systemd/system-generators/${generator##*/}"
done
: >/etc/fstab
[ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
    modprobe@.service getty.target tmp.mount $L/sysinit.target.wants/* $L/local-fs.target.wants/* \
    $L/basic.target.wants/* $L/timers.target.wants/* $L/sockets.target.wants/*; do
    case ${unit##*/} in
        '*' | systemd-journald* | dbus.socket) ;;
        *) ln -sf /dev/null "$E/${unit##*/}" ;;
    esac
done
cat >$E/tests.target <<UNIT
[Unit]
DefaultDependencies=no
AllowIsolate=yes
Requires=tests.service
UNIT
cat >$E/tests.service <<UNIT
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service systemd-journald.socket dbus.socket systemd-logind.service
After=systemd-journald.socket dbus.socket dbus.service systemd-logind.service
[Service]
ExecStart=/bin/sh -c '/bin/sh "$HERE/command.sh"; echo \$? >$X/status'
ExecStopPost=+/bin/sh -c 'echo o >/proc/sysrq-trigger; sleep 9'
StandardInput=null
StandardOutput=append:$X/out
StandardError=append:$X/err
OOMPolicy=continue
TasksMax=infinity
${GUEST_USER:+User=$GUEST_USER
PAMName=login}
UNIT
exec /lib/systemd/systemd --system --unit=tests.target --show-status=no --log-target=kmsg --log-level=notice
