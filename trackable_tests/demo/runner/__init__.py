"""The program around the site: starts it, sends it visitors, and checks what was counted."""
