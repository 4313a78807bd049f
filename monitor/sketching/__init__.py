"""From a decoded batch to the sketches and messages of one commit. Pure: no client, no clock."""
