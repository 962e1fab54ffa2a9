"""The benchmark: a plugin's functions beside those of a hand-written extension and of every rival. See README.md."""
