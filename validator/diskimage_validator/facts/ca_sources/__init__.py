"""Readers of settings that are about CAs: of variables, and of tools' own files."""
