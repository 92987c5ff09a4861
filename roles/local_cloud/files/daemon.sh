#!/bin/sh
# Starts and stops a process that outlives the playbook, where neither systemd nor another supervisor can be assumed.
#   daemon.sh start NAME DIRECTORY COMMAND…    daemon.sh stop NAME DIRECTORY    daemon.sh status NAME DIRECTORY
# Writes DIRECTORY/NAME.pid (process id, start time) and DIRECTORY/NAME.log. Prints running, started, stopped, absent, or
# for a process that ended by itself: crashed.
# The start time distinguishes the process from a later one with the same id: only what was started here is stopped.
set -eu

action=$1 name=$2 directory=$3
shift 3
pid_file=$directory/$name.pid
log=$directory/$name.log

start_time() {
    # The 22nd field; the second, the program's name, may contain spaces and brackets. A zombie has ended.
    sed -n 's/^.*) \([^Z]\)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

pid='' started=''
if [ -f "$pid_file" ]; then
    read -r pid started < "$pid_file" || true
fi
alive() {
    [ -n "$pid" ] && [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

case $action in
status)
    if alive; then echo running; elif [ -n "$pid" ]; then echo crashed; else echo absent; fi
    ;;
start)
    if alive; then
        echo running
        exit
    fi
    setsid nohup "$@" >> "$log" 2>&1 < /dev/null &
    pid=$!
    echo "$pid $(start_time "$pid")" > "$pid_file"
    echo started
    ;;
stop)
    if ! alive; then
        rm -f "$pid_file"
        echo absent
        exit
    fi
    kill "$pid"
    waited=0
    while alive; do
        if [ "$waited" -ge 300 ]; then
            kill -9 "$pid"
        fi
        waited=$((waited + 1))
        sleep 0.1
    done
    rm -f "$pid_file"
    echo stopped
    ;;
esac
