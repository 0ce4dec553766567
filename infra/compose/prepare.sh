#!/bin/sh
# Runs to its end before anything else starts: gives each folder under /data to the user that its server runs as,
# writes the password file with which pgAdmin opens the database, and warns of passwords that everybody knows.
set -eu

PGADMIN_UID=5050  # of dpage/pgadmin4, which runs as this user and cannot help itself
umask 077

own() { # FOLDER OWNER: whatever a restore or another release left there is handed over, too
  mkdir -p "/data/$1"
  find "/data/$1" ! -user "${2%:*}" -exec chown -h "$2" {} +
  chmod 700 "/data/$1"
}

own postgres postgres:postgres
mkdir -p /data/minio  # runs as root

# pgAdmin looks for a user's files in a folder that is named after their e-mail address.
storage=pgadmin/storage/$(printf %s "$PGADMIN_DEFAULT_EMAIL" | tr @ _)
mkdir -p "/data/$storage"
password=$(printf %s "$POSTGRES_PASSWORD" | sed 's/[:\\]/\\&/g')
printf 'pigwavdb_container:5432:*:%s:%s\n' "$POSTGRES_USER" "$password" > "/data/$storage/.pgpass"
own pgadmin "$PGADMIN_UID:0"

known=
for name in POSTGRES_PASSWORD PGADMIN_DEFAULT_PASSWORD MINIO_ROOT_PASSWORD PIGWAV_S3_SECRET_KEY; do
  eval "value=\$$name"
  [ "$value" != pigwav1234 ] || known="$known $name"
done
[ -z "$known" ] || cat >&2 << END
################################################################################
#  WARNING: these have the password that stands in PigWav's documentation:
#   $known
#  Whoever reaches this machine's ports can read, change and delete everything.
#  cp .env.example .env, choose passwords there, then start with an empty ./data.
################################################################################
END
