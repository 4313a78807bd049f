"""What a screen says and shows, made of rows. Pure: no client, no clock, no HTML."""
