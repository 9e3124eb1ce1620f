"""The command line, a file a command group; one command table for the shell, the colon prompt and the palette."""
