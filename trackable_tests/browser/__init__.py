"""Pages as Chromium shows them, under a strict Content-Security-Policy: ``make browser``."""
