#!/bin/sh
# What init.sh goes on with on the machine's own files: runs the command, says how it ended, goes off.
. /guest/settings.sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb

ip link set lo up
# As on a machine of more than 4 GiB whose firewall is up: so many buckets, and settings to write to.
modprobe nf_conntrack hashsize=262144 expect_hashsize=1024
modprobe -a nf_conntrack_netlink nf_conntrack_ftp nft_ct
sysctl -qw net.netfilter.nf_conntrack_max=262144
echo "@@guest-begin $VERSION"
(cd "$DIRECTORY" && exec sh /guest/command.sh) 2>&1 < /dev/null
echo "@@guest-end $?"
exec "$BUSYBOX" poweroff -f
