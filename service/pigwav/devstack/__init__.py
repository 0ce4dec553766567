"""The embedded stack: a Postgres and an S3 server of our own, for machines that have neither."""
