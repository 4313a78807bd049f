"""What the demo's alerts and requests to retrain were, read back out of ClickHouse."""

from clickhouse_connect.driver.client import Client

from monitor.cli.decided import ToldAlert, ToldRequest


def read_alerts(client: Client) -> list[ToldAlert]:
    """All transitions, in the order of time."""
    rows = client.query(
        "SELECT state, dedupe_key, toUnixTimestamp64Milli(at), severity, summary FROM alerts_latest "
        "ORDER BY at, dedupe_key, sequence"
    ).result_rows
    return [
        ToldAlert(state=state, dedupe_key=key, at_ms=at_ms, severity=severity, summary=summary)
        for state, key, at_ms, severity, summary in rows
    ]


def read_requests(client: Client) -> list[ToldRequest]:
    """All transitions, in the order of time."""
    rows = client.query(
        "SELECT status, toUnixTimestamp64Milli(at), reason, dry_run FROM retraining_latest "
        "ORDER BY at, dedupe_key, status"
    ).result_rows
    return [
        ToldRequest(status=status, at_ms=at_ms, reason=reason, dry_run=bool(dry_run))
        for status, at_ms, reason, dry_run in rows
    ]
