#!/bin/sh
# Courier as the scripts of its packages start it, in the foreground, on
# loopback, and with room for any number of connections.
set -a
. /etc/courier/authdaemonrc
. /etc/courier/pop3d
/usr/lib/courier/courier-authlib/authdaemond &
auth=$!
while [ ! -S "$authdaemonvar/socket" ]; do
	kill -0 $auth || exit 1
	sleep 0.05
done
cd /usr
/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=10000 -maxperip=10000 \
	-stderrlogger=/usr/sbin/courierlogger $TCPDOPTS $PORT \
	/usr/lib/courier/courier/courierpop3login \
	/usr/lib/courier/courier/courierpop3d "$MAILDIRPATH" &
trap 'kill $auth $!' TERM
wait
