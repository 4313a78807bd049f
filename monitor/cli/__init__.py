"""The command line: thin, one file a group of commands; everything it does is a call into the packages."""
