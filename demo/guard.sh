#!/bin/sh
# Undoes what the demo did to this host, however the demo ended: it waits until its standard input is closed,
# which the kernel does also for a program that was killed. What is to be undone stands in the file $1, one
# line each, written before it was done:
#
#   capacity BEFORE LOWERED   nf_conntrack_max was BEFORE; put back unless somebody else has set it since
#   process PID WORD          its process group is ended, if its command line still has WORD
#   namespace NAME            its processes are ended, and it is deleted
#   directory PATH            is deleted
#
# Putting back comes first: that is what others on this host would miss.
trap '' HUP INT TERM
ledger=$1
file=/proc/sys/net/netfilter/nf_conntrack_max
cat >/dev/null

each() { sed -n "s/^$1 //p" "$ledger"; }

each capacity | while read -r before lowered; do
  [ "$(cat "$file")" = "$lowered" ] && echo "$before" >"$file"
done
each process | while read -r process word; do
  tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null | grep -qF -- "$word" || continue
  kill -KILL "-$process" 2>/dev/null
done
each namespace | while read -r name; do
  ip netns pids "$name" 2>/dev/null | xargs -r kill -KILL 2>/dev/null
  ip netns del "$name" 2>/dev/null
done
each directory | while read -r directory; do
  # A program that is just ending may write once more.
  for _ in 1 2 3 4 5; do
    rm -rf -- "$directory" 2>/dev/null && break
    sleep 0.2
  done
done
rm -f -- "$ledger"
