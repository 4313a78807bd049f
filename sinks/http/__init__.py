"""One small HTTP client for every destination that is called over HTTP, and what an answer asks for.

- `classify`: from a status to accepted, retry, drop or stop; `Retry-After` in seconds. Pure.
- `client`: requests with verified TLS, a deadline and bounded answers; redirects are not followed.
"""
