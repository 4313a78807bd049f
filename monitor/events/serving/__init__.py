"""What serving systems log, taken apart into events: an envelope, and in it requests and responses of any instances."""
