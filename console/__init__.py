"""The operator console: command line, screens, widgets. May import sync; sync never imports it."""
