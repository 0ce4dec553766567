"""What `pigwav provision` and `pigwav s3-check` do on an S3 server. Only these two commands import it."""
