"""The work of `pigwav provision` and `pigwav s3-check` on an S3 server. Only these two commands import it."""
