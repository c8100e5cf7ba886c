"""The build side: what turns elements into an image file on a host, whatever that host lacks."""
