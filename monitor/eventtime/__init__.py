"""Event time: windows and panes, clocks of source partitions, the watermark. Pure: time is passed in."""
