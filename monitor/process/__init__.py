"""What every process of the service needs: health, logs, children, the supervisor."""
