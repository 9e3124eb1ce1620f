"""The operator console of Predictive Console: command line, screens, widgets. May import sync; sync never imports it."""
