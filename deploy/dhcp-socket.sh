#!/bin/sh
# Prints the systemd socket unit for DHCP on one interface:
#   deploy/dhcp-socket.sh eth1 > /etc/systemd/system/lpmos-dhcp-eth1.socket
#   systemctl enable --now lpmos-dhcp-eth1.socket
# No template unit: BindToDevice= takes no %i before systemd 253, and a socket that is bound to no device would hear every interface.
set -eu

interface=${1:-}
case $interface in
  '' | *[!A-Za-z0-9_.-]*)
    echo "usage: $0 INTERFACE (letters, digits, dot, hyphen, underscore), such as $0 eth1" >&2
    exit 2
    ;;
esac
if [ ${#interface} -gt 15 ]; then
  echo "$interface is too long for an interface of Linux (15 characters); systemd would ignore it and bind to no device" >&2
  exit 2
fi
# systemd writes names of devices with its own escapes.
device=$(printf '%s' "$interface" | sed 's/-/\\x2d/g')

cat <<UNIT
# The daemon needs no right for these ports, and hears the broadcasts of this interface only. A link of region.yaml must name the interface,
# and its service_address must be the first address of it. A socket that fits no link is refused by name when the daemon starts.
[Unit]
Description=LPMOS DHCP on $interface
Documentation=file:/usr/share/doc/lpmos/docs/booting.md
BindsTo=sys-subsystem-net-devices-$device.device
After=sys-subsystem-net-devices-$device.device

[Socket]
ListenDatagram=0.0.0.0:67
# The boot server of PXE, which firmware asks in mode proxy.
ListenDatagram=0.0.0.0:4011
# Only heard, to report other DHCP servers; shared with the host's own DHCP client.
ListenDatagram=0.0.0.0:68
BindToDevice=$interface
FileDescriptorName=lpmos-$interface
Broadcast=yes
ReceiveBuffer=4M
Service=lpmos-regional-daemon.service
# A daemon that cannot start must not take the sockets with it.
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
UNIT
