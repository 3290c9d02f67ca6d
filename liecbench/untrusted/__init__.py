"""Texts and paths from outside, such as names, options and servers' messages: show and open them without harm."""
