#!/bin/sh
# Completes before any other container starts. It makes the user of each server the owner of its folder under /data,
# writes the file from which pgAdmin reads the database's password, and warns if a password is a published default.
set -eu

PGADMIN_UID=5050  # the user of dpage/pgadmin4; it has no right to change the owner itself
umask 077

own() { # FOLDER OWNER: also changes the owner of files from a restore or another release
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
for name in POSTGRES_PASSWORD POSTGRES_SERVICE_PASSWORD PGADMIN_DEFAULT_PASSWORD MINIO_ROOT_PASSWORD PIGWAV_S3_SECRET_KEY; do
  eval "value=\$$name"
  [ "$value" != pigwav1234 ] || known="$known $name"
done
[ -z "$known" ] || cat >&2 << END
################################################################################
#  WARNING: these still have the default password, which is public:
#   $known
#  Anyone who can reach this machine's ports can read, change and delete all data.
#  cp .env.example .env, choose passwords there, then start with an empty ./data.
################################################################################
END

[ "$POSTGRES_SERVICE_PASSWORD" != "$POSTGRES_PASSWORD" ] || [ -n "$known" ] || cat >&2 << END
WARNING: the service knows the password of the database's superuser. Set POSTGRES_SERVICE_PASSWORD in .env to another one.
END
