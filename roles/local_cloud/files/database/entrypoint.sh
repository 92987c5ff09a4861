#!/bin/sh
# Starts mysqld as the official mysql image does: MYSQL_ROOT_PASSWORD (required at the first start),
# MYSQL_ROOT_HOST, MYSQL_DATABASE, MYSQL_USER and MYSQL_PASSWORD create the accounts, arguments go to mysqld.
set -eu

if [ "${1:-}" = mysqld ]; then
    shift
fi

quoted() {
    printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e "s/'/\\\\'/g" -e "1s/^/'/" -e "\$s/\$/'/"
}


chown mysql:mysql /var/lib/mysql

if [ ! -d /var/lib/mysql/mysql ]; then
    if [ -z "${MYSQL_ROOT_PASSWORD:-}" ]; then
        echo "MYSQL_ROOT_PASSWORD is not set: the first start needs the administrator's password" >&2
        exit 1
    fi
    mysqld --initialize-insecure --user=mysql --datadir=/var/lib/mysql
    accounts=/var/lib/mysql-files/accounts.sql
    umask 077
    {
        # printf, not echo: a password may contain a backslash.
        statement() { printf '%s;\n' "$1"; }
        password=$(quoted "$MYSQL_ROOT_PASSWORD")
        statement "SET SESSION sql_log_bin = 0"
        statement "ALTER USER 'root'@'localhost' IDENTIFIED BY $password"
        if [ "${MYSQL_ROOT_HOST:-%}" != localhost ]; then
            root="'root'@$(quoted "${MYSQL_ROOT_HOST:-%}")"
            statement "CREATE USER $root IDENTIFIED BY $password"
            statement "GRANT ALL ON *.* TO $root WITH GRANT OPTION"
        fi
        if [ -n "${MYSQL_DATABASE:-}" ]; then
            statement "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`"
        fi
        if [ -n "${MYSQL_USER:-}" ] && [ -n "${MYSQL_PASSWORD:-}" ] && [ "$MYSQL_USER" != root ]; then
            user="$(quoted "$MYSQL_USER")@'%'"
            statement "CREATE USER $user IDENTIFIED BY $(quoted "$MYSQL_PASSWORD")"
            if [ -n "${MYSQL_DATABASE:-}" ]; then
                statement "GRANT ALL ON \`$MYSQL_DATABASE\`.* TO $user"
            fi
        fi
    } > "$accounts"
    umask 022
    chown mysql:mysql "$accounts"
    # mysqld runs the file before it accepts connections: no client finds a server without accounts.
    set -- "--init-file=$accounts" "$@"
fi

unset MYSQL_ROOT_PASSWORD MYSQL_PASSWORD
exec mysqld --user=mysql "$@"
