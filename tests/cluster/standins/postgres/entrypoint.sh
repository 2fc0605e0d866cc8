# Makes the database in an empty PGDATA, then becomes the server. What broke off in the middle is made anew.
set -eu
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  fresh="$PGDATA.new"
  rm -rf "$fresh"
  # shellcheck disable=SC2086 # the arguments are words
  initdb --pgdata="$fresh" --username="$user" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 \
    --auth-local=trust ${POSTGRES_INITDB_ARGS:-}
  printf "listen_addresses = '*'\n" >>"$fresh/postgresql.conf"
  printf 'host all all all scram-sha-256\n' >>"$fresh/pg_hba.conf"
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s" OWNER "%s";\n' "$database" "$user" | postgres --single -D "$fresh" postgres >/dev/null
  fi
  mv "$fresh" "$PGDATA"
fi
exec postgres -D "$PGDATA"
