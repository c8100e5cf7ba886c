"""Two targets held against each other: their files (``trees``) and what they mean (``meaning``)."""
