# The command itself, as the one who runs it: environment, directory, arguments.
. /run/guest/conf
. /run/guest/env
if [ -n "$GUEST_USER" ]; then
    export USER="$GUEST_USER" LOGNAME="$GUEST_USER" XDG_RUNTIME_DIR="/run/user/$(id -u)"
    HOME=$(awk -F: -v user="$USER" '$1 == user { print $6 }' /etc/passwd)
    [ -w "$HOME" ] || { HOME=/tmp/home-$USER; mkdir -p "$HOME"; }
    export HOME
    [ ! -S "$XDG_RUNTIME_DIR/bus" ] || export DBUS_SESSION_BUS_ADDRESS="unix:path=$XDG_RUNTIME_DIR/bus"
fi
cd "$DIRECTORY" || exit 125
. /run/guest/command
