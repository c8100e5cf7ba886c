"""Indices of package repositories, those of apt and of RPM: what is in them, and what depends on what."""
