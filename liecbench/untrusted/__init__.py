"""Texts and paths from users and servers: print such texts, and open such paths, without harm."""
