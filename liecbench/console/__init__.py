"""What is printed on standard output and standard error, whatever the terminal can show."""
