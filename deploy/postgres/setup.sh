#!/bin/sh
# The role and the database of Sereno on a PostgreSQL 15 server. Say it again as often as you like: what is there stays.
#
#   umask 077; head -c 24 /dev/urandom | base64 | tr '+/' '-_' >/etc/sereno/postgres.secret; chown postgres /etc/sereno/postgres.secret
#   sudo -u postgres sh setup.sh /etc/sereno/postgres.secret
#   sereno collector --database "postgresql://sereno@db.example:5432/sereno?sslmode=verify-full" …   (password in ~/.pgpass)
#
# psql's own variables (PGHOST, PGPORT, PGUSER) say which server; SERENO_ROLE and SERENO_DATABASE name others than `sereno`.
# The role owns its database and nothing else: no superuser, no CREATEDB. It may end its own sessions, which a standby
# collector does with those of a frozen leader.
set -eu

SERENO_PASSWORD_FILE=${1:-}
if [ ! -r "$SERENO_PASSWORD_FILE" ] || [ ! -s "$SERENO_PASSWORD_FILE" ]; then
    echo "setup.sh: give a readable file with the role's password: sh setup.sh /etc/sereno/postgres.secret" >&2
    exit 2
fi
export SERENO_PASSWORD_FILE
export SERENO_ROLE="${SERENO_ROLE:-sereno}"
export SERENO_DATABASE="${SERENO_DATABASE:-sereno}"

# The password goes from the file to the server by psql itself: never into the arguments of a process, nor into the log.
exec psql -X -q -d postgres -v ON_ERROR_STOP=1 <<'SQL'
\set role `printf %s "$SERENO_ROLE"`
\set database `printf %s "$SERENO_DATABASE"`
\set password `tr -d '\n' <"$SERENO_PASSWORD_FILE"`
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SET password_encryption = 'scram-sha-256';
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
-- Names are ordered by code point on either database; C.UTF-8 saves the server the work of any other order.
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C.UTF-8'' LC_CTYPE ''C.UTF-8''',
              :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
ALTER DATABASE :"database" OWNER TO :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
\connect :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO :"role";
SQL
