"""Safe display of text from users and servers, and safe access to files that users name."""
