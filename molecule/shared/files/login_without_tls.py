"""Log in without TLS, with the password on standard input, and print the user: login_without_tls.py PORT USER."""

from __future__ import annotations

import sys

import pymysql

port, user = sys.argv[1:]
try:
    connection = pymysql.connect(
        host="127.0.0.1", port=int(port), user=user, password=sys.stdin.readline().strip(), ssl_disabled=True
    )
except pymysql.OperationalError as error:
    sys.exit(str(error.args[1]))
with connection, connection.cursor() as cursor:
    cursor.execute("SELECT CURRENT_USER()")
    sys.stdout.write(f"{cursor.fetchall()[0][0]}\n")
