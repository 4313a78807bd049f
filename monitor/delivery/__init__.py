"""What deliver decides: pure, over messages, batches and time. The shell round it is `monitor.roles.deliver`."""
