#!/bin/busybox sh
# The first process of a guest: sees this machine's files over 9p, lays memory over them, and goes on there.
# settings.sh, command.sh and second.sh are put beside it by guest.ts.
bb=/bin/busybox
. /settings.sh

must() {
  "$@" || { echo "guest: failed: $*"; $bb poweroff -f; $bb sleep 5; }
}

$bb mkdir -p /proc /dev /below /memory /root
must $bb mount -t proc proc /proc
$bb mount -t devtmpfs dev /dev
for module in /modules/*.ko; do must $bb insmod "$module"; done
must $bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /below
must $bb mount -t tmpfs tmpfs /memory
$bb mkdir /memory/upper /memory/work
must $bb mount -t overlay -o lowerdir=/below,upperdir=/memory/upper,workdir=/memory/work overlay /root

# The kernel asks for more modules by itself, through modprobe of busybox.
$bb mkdir -p /root/usr/lib/modules /root/lib/modules
for place in /root/usr/lib/modules /root/lib/modules; do
  [ -e "$place/$VERSION" ] || $bb ln -s "$MODULES" "$place/$VERSION"
done
for name in modprobe insmod lsmod; do
  for place in /root/usr/sbin /root/sbin; do $bb ln -sf "$BUSYBOX" "$place/$name"; done
done
$bb mkdir -p /root/guest
$bb cp /settings.sh /command.sh /second.sh /root/guest/

$bb mount -t proc proc /root/proc
$bb mount -t sysfs sys /root/sys
$bb mount -t devtmpfs dev /root/dev
$bb mkdir -p /root/dev/shm /root/dev/pts
$bb mount -t tmpfs tmpfs /root/dev/shm
$bb mount -t devpts devpts /root/dev/pts
for place in tmp run; do $bb mount -t tmpfs tmpfs "/root/$place"; done
$bb mount -t debugfs debug /root/sys/kernel/debug
echo 1 > /proc/sys/kernel/printk
# Only so do the kernel's own calls of modprobe see the new root as well.
exec $bb switch_root /root /guest/second.sh
