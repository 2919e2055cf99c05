#!/bin/sh
# Run by the bootstrap for the finished root file system ($1), before it is packed. The overlay folder comes in $OVERLAY.
# Adds our files, makes the image anonymous (no host keys, no machine id, nothing of the build machine), enables units.
set -eu
root=$1

cp -r --no-preserve=ownership,timestamps "$OVERLAY/." "$root/"
mkdir -p "$root/etc/lpmos"
chown -R 0:0 "$root/etc/lpmos" "$root/usr/lib/lpmos"
find "$root/etc/systemd" "$root/etc/ssh/sshd_config.d" "$root/etc/repart.d" "$root/etc/apt" "$root/boot/grub" -type f -exec chmod 0644 {} +
chmod 0644 "$root/etc/fstab"
chmod 0700 "$root/etc/lpmos"
chmod 0755 "$root/usr/lib/lpmos/check-in" "$root/etc/initramfs-tools/hooks/lpmos"

echo debian >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root"/etc/ssh/ssh_host_*

chroot "$root" usermod --lock root 2>/dev/null
chroot "$root" systemctl --quiet enable systemd-networkd systemd-resolved systemd-timesyncd ssh \
  lpmos-ssh-host-key lpmos-check-in
# A server has nobody at a graphical login; apt's timers would fight with the first configuration run;
# e2scrub wants LVM, which this image has not.
chroot "$root" systemctl --quiet set-default multi-user.target
chroot "$root" systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer \
  e2scrub_all.timer e2scrub_reap.service

chroot "$root" depmod "$(ls "$root/lib/modules")"
chroot "$root" update-initramfs -u -k all

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/var/cache/ldconfig/* "$root"/tmp/* \
  "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/lintian "$root"/var/cache/debconf/*-old
mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial" "$root/var/log"
