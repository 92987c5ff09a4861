"""The status page: what the ledger says of imports, for people, scripts and Prometheus. Reads only."""
