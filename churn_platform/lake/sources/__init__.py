"""Where files come from: the user's disk, an S3 bucket, an HTTPS address, a PostgreSQL server."""
